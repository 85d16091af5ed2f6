-- Secrets that customers entrust to us: the value of each version sealed by the workspace's key before it comes here.

CREATE TABLE secrets (
    workspace_id uuid NOT NULL REFERENCES workspaces (workspace_id),
    environment text NOT NULL CHECK (environment IN ('live', 'test')),
    project_id uuid,
    id uuid NOT NULL,
    name text NOT NULL CHECK (length(name) <= 80 AND name ~ '^[a-z0-9]+([.-][a-z0-9]+)*$'),
    kind text NOT NULL CHECK (kind IN ('generic', 'deploy_token', 'identity_provider', 'webhook_signing', 'database',
        'oauth_client', 'private_key')),
    newest_version integer NOT NULL CHECK (newest_version >= 1),
    created_by_user uuid REFERENCES users (id),
    created_by_key uuid,
    created_at timestamptz NOT NULL CHECK (isfinite(created_at)),
    PRIMARY KEY (workspace_id, id),
    CONSTRAINT secrets_within_environment UNIQUE (workspace_id, environment, id),
    CONSTRAINT secrets_name UNIQUE (workspace_id, environment, name),
    CONSTRAINT secrets_project FOREIGN KEY (workspace_id, environment, project_id)
        REFERENCES projects (workspace_id, environment, id),
    CONSTRAINT secrets_made_by_key FOREIGN KEY (workspace_id, environment, created_by_key)
        REFERENCES api_keys (workspace_id, environment, id),
    CONSTRAINT secrets_one_maker CHECK (num_nonnulls(created_by_user, created_by_key) = 1)
);

COMMENT ON COLUMN secrets.newest_version IS 'counts up: no number is given twice. Whoever adds a version holds this row';

CREATE TABLE secret_versions (
    workspace_id uuid NOT NULL,
    environment text NOT NULL CHECK (environment IN ('live', 'test')),
    project_id uuid,
    secret_id uuid NOT NULL,
    version integer NOT NULL CHECK (version >= 1),
    value_sealed bytea,
    created_by_user uuid REFERENCES users (id),
    created_by_key uuid,
    created_at timestamptz NOT NULL CHECK (isfinite(created_at)),
    revoked_at timestamptz CHECK (isfinite(revoked_at)),
    refused_uses bigint NOT NULL DEFAULT 0 CHECK (refused_uses >= 0),
    refused_at timestamptz CHECK (isfinite(refused_at)),
    PRIMARY KEY (workspace_id, secret_id, version),
    CONSTRAINT secret_versions_secret FOREIGN KEY (workspace_id, environment, secret_id)
        REFERENCES secrets (workspace_id, environment, id) ON DELETE CASCADE,
    CONSTRAINT secret_versions_made_by_key FOREIGN KEY (workspace_id, environment, created_by_key)
        REFERENCES api_keys (workspace_id, environment, id),
    CONSTRAINT secret_versions_one_maker CHECK (num_nonnulls(created_by_user, created_by_key) = 1),
    CONSTRAINT secret_versions_gone CHECK ((value_sealed IS NULL) = (revoked_at IS NOT NULL))
);
COMMENT ON COLUMN secret_versions.value_sealed IS 'secret/v1; gone with its revocation';
COMMENT ON COLUMN secret_versions.refused_uses IS 'how often it was asked for since its revocation';

-- A secret gets another value: where that stands, one row for each.
CREATE TABLE secret_rotations (
    workspace_id uuid NOT NULL,
    environment text NOT NULL CHECK (environment IN ('live', 'test')),
    project_id uuid,
    id uuid NOT NULL,
    secret_id uuid NOT NULL,
    reason text NOT NULL CHECK (reason IN ('suspected_leak', 'offboarding', 'failed_secret_scan', 'public_exposure',
        'provider_incident', 'scheduled')),
    new_version integer NOT NULL CHECK (new_version >= 2),
    watch_seconds integer NOT NULL CHECK (watch_seconds BETWEEN 0 AND 2592000),
    opened_at timestamptz NOT NULL CHECK (isfinite(opened_at)),
    ready_at timestamptz CHECK (isfinite(ready_at)),
    revoked_at timestamptz CHECK (isfinite(revoked_at)),
    finished_at timestamptz CHECK (isfinite(finished_at)),
    refused_uses bigint CHECK (refused_uses >= 0),
    receipt_event uuid,
    PRIMARY KEY (workspace_id, id),
    CONSTRAINT secret_rotations_secret FOREIGN KEY (workspace_id, environment, secret_id)
        REFERENCES secrets (workspace_id, environment, id) ON DELETE CASCADE,
    CONSTRAINT secret_rotations_in_order CHECK ((revoked_at IS NULL OR ready_at IS NOT NULL)
        AND (finished_at IS NULL OR revoked_at IS NOT NULL)
        AND num_nulls(finished_at, refused_uses, receipt_event) IN (0, 3))
);
COMMENT ON COLUMN secret_rotations.receipt_event IS 'the entry secret.rotated: all steps and times';
CREATE UNIQUE INDEX secret_rotations_one_open ON secret_rotations (workspace_id, secret_id) WHERE finished_at IS NULL;
CREATE INDEX secret_rotations_by_secret ON secret_rotations (workspace_id, secret_id, id);

-- The walls -----------------------------------------------------------------------------------------

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['secrets', 'secret_versions', 'secret_rotations'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY owner_all ON %I TO bailiwick_owner USING (true) WITH CHECK (true)', t);
        EXECUTE format('REVOKE ALL ON %I FROM PUBLIC', t);
        EXECUTE format($policy$CREATE POLICY tenant_rows ON %I TO bailiwick_runtime
            USING (workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid)
                AND environment = (SELECT nullif(current_setting('app.environment', true), ''))
                AND ((SELECT current_setting('app.project_id', true)) = '*'
                    OR project_id = (SELECT nullif(nullif(current_setting('app.project_id', true), ''), '*')::uuid)))
            WITH CHECK (workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid)
                AND environment = (SELECT nullif(current_setting('app.environment', true), ''))
                AND ((SELECT current_setting('app.project_id', true)) = '*'
                    OR project_id = (SELECT nullif(nullif(current_setting('app.project_id', true), ''), '*')::uuid)))$policy$, t);
    END LOOP;
END $$;

GRANT SELECT, INSERT, UPDATE (newest_version), DELETE ON secrets TO bailiwick_runtime;
GRANT SELECT, INSERT, UPDATE (value_sealed, revoked_at, refused_uses, refused_at), DELETE ON secret_versions
    TO bailiwick_runtime;
GRANT SELECT, INSERT, UPDATE (ready_at, revoked_at, finished_at, refused_uses, receipt_event), DELETE ON secret_rotations
    TO bailiwick_runtime;

-- Sealing anew.
CREATE POLICY vault_select ON secret_versions FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'rotate_vault');
CREATE POLICY vault_update ON secret_versions FOR UPDATE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'rotate_vault')
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'rotate_vault');
GRANT SELECT (workspace_id, secret_id, version, value_sealed), UPDATE (value_sealed) ON secret_versions
    TO bailiwick_system;
