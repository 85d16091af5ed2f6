-- Keys that are confined to audiences and networks, carry labels and have successors; credentials of the operator's
-- services.

ALTER TABLE api_keys
    ADD COLUMN labels jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(labels) = 'object'),
    ADD COLUMN audiences text[] NOT NULL DEFAULT '{}' CHECK (cardinality(audiences) <= 16),
    ADD COLUMN allowed_networks text[] NOT NULL DEFAULT '{}' CHECK (cardinality(allowed_networks) <= 32),
    ADD COLUMN rotated_from uuid,
    ADD CONSTRAINT api_keys_rotated_from FOREIGN KEY (workspace_id, environment, rotated_from)
        REFERENCES api_keys (workspace_id, environment, id),
    ADD CONSTRAINT api_keys_one_successor UNIQUE (workspace_id, rotated_from);
COMMENT ON COLUMN api_keys.audiences IS 'the services that it is for; none means all';
COMMENT ON COLUMN api_keys.allowed_networks IS 'where it may be used from, CIDR; none means anywhere';
COMMENT ON COLUMN api_keys.rotated_from IS 'the key whose successor it is; that one ends when the overlap does';

GRANT SELECT (labels, audiences, allowed_networks, rotated_from), UPDATE (name, labels, expires_at, allowed_networks)
    ON api_keys TO bailiwick_runtime;
GRANT SELECT (audiences, allowed_networks) ON api_keys TO bailiwick_system;

-- What the operator's services present to /internal: several for a service, so that they can be replaced one by one.
CREATE TABLE internal_credentials (
    id uuid PRIMARY KEY,
    service text NOT NULL CHECK (service ~ '^[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?$'),
    digest bytea NOT NULL CONSTRAINT internal_credentials_digest UNIQUE CHECK (octet_length(digest) = 32),
    audiences text[] NOT NULL CHECK (cardinality(audiences) BETWEEN 1 AND 16),
    created_at timestamptz NOT NULL,
    revoked_at timestamptz
);
COMMENT ON COLUMN internal_credentials.audiences IS 'what the service may ask about';

ALTER TABLE internal_credentials ENABLE ROW LEVEL SECURITY;
ALTER TABLE internal_credentials FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON internal_credentials TO bailiwick_owner USING (true) WITH CHECK (true);
REVOKE ALL ON internal_credentials FROM PUBLIC;

CREATE POLICY path_select ON internal_credentials FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) IN ('authenticate_service', 'manage_services'));
CREATE POLICY path_insert ON internal_credentials FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'manage_services');
CREATE POLICY path_update ON internal_credentials FOR UPDATE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'manage_services')
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'manage_services');
GRANT SELECT, INSERT, UPDATE (revoked_at) ON internal_credentials TO bailiwick_system;

CREATE POLICY path_appends_services ON cell_ledger_staged FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'manage_services');
