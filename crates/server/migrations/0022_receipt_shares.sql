-- Receipts that are shown to others: a link for one entry, found by the digest of its token (docs/adr/0029-receipts-for-others.md).

CREATE TABLE receipt_shares (
    workspace_id uuid NOT NULL,
    environment text NOT NULL CHECK (environment IN ('live', 'test')),
    project_id uuid,
    id uuid NOT NULL,
    event_id uuid NOT NULL,
    digest bytea NOT NULL CHECK (octet_length(digest) = 32),
    imprint bytea GENERATED ALWAYS AS (sha256(digest)) STORED,
    open text[] NOT NULL CHECK (open <@ ARRAY['actor', 'ip', 'meta', 'target']),
    created_by text NOT NULL CHECK (length(created_by) BETWEEN 1 AND 100),
    created_at timestamptz NOT NULL CHECK (isfinite(created_at)),
    expires_at timestamptz NOT NULL CHECK (isfinite(expires_at)),
    revoked_at timestamptz CHECK (isfinite(revoked_at)),
    version bigint NOT NULL DEFAULT 1 CHECK (version >= 1),
    views bigint NOT NULL DEFAULT 0 CHECK (views >= 0),
    mac bytea NOT NULL DEFAULT '',
    PRIMARY KEY (workspace_id, id)
);
COMMENT ON COLUMN receipt_shares.event_id IS 'the entry may go by retention: then the link shows nothing';
COMMENT ON COLUMN receipt_shares.digest IS 'SHA-256 of the token, which stands nowhere';
COMMENT ON COLUMN receipt_shares.imprint IS 'stands for the digest in the MAC';
COMMENT ON COLUMN receipt_shares.open IS 'which openings strangers see';
COMMENT ON COLUMN receipt_shares.version IS '1, and 2 once it is revoked';
COMMENT ON COLUMN receipt_shares.views IS 'how often its page was shown, to nobody in particular; not vouched for';
COMMENT ON COLUMN receipt_shares.mac IS 'over what the link shows and until when; empty: it shows nothing';
CREATE INDEX receipt_shares_by_event ON receipt_shares (workspace_id, environment, event_id, id);
CREATE INDEX receipt_shares_by_digest ON receipt_shares (digest);
COMMENT ON INDEX receipt_shares_by_digest IS 'crosses tenants: operational path open_receipt_share';

-- The walls -----------------------------------------------------------------------------------------

ALTER TABLE receipt_shares ENABLE ROW LEVEL SECURITY;
ALTER TABLE receipt_shares FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON receipt_shares TO bailiwick_owner USING (true) WITH CHECK (true);
REVOKE ALL ON receipt_shares FROM PUBLIC;
CREATE POLICY tenant_rows ON receipt_shares TO bailiwick_runtime
    USING (workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid)
        AND environment = (SELECT nullif(current_setting('app.environment', true), ''))
        AND ((SELECT current_setting('app.project_id', true)) = '*'
            OR project_id = (SELECT nullif(nullif(current_setting('app.project_id', true), ''), '*')::uuid)))
    WITH CHECK (workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid)
        AND environment = (SELECT nullif(current_setting('app.environment', true), ''))
        AND ((SELECT current_setting('app.project_id', true)) = '*'
            OR project_id = (SELECT nullif(nullif(current_setting('app.project_id', true), ''), '*')::uuid)));
GRANT SELECT (workspace_id, environment, project_id, id, event_id, imprint, open, created_by, created_at, expires_at, revoked_at,
        version, views, mac),
    INSERT, UPDATE (revoked_at, version, mac) ON receipt_shares TO bailiwick_runtime;

CREATE POLICY path_select ON receipt_shares FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) IN ('open_receipt_share', 'vouch_for_rows'));
CREATE POLICY path_update ON receipt_shares FOR UPDATE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) IN ('open_receipt_share', 'vouch_for_rows'))
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) IN ('open_receipt_share', 'vouch_for_rows'));
GRANT SELECT (workspace_id, environment, project_id, id, event_id, digest, open, expires_at, revoked_at, version, views, mac),
    UPDATE (views, mac) ON receipt_shares TO bailiwick_system;
