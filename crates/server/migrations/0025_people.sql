-- People: who is invited, and memberships that end. A membership that ended stays as a row, so that its version goes on: an
-- older row put back is known by it, also after its person was invited again.

ALTER TABLE memberships ADD COLUMN ended_at timestamptz CHECK (isfinite(ended_at));
COMMENT ON COLUMN memberships.ended_at IS 'since when the person has left or was removed: the row grants nothing and shows nothing of them';
GRANT UPDATE (created_at, ended_at) ON memberships TO bailiwick_runtime;

ALTER POLICY account_memberships ON memberships
    USING (user_id = (SELECT nullif(current_setting('app.user_id', true), '')::uuid) AND ended_at IS NULL);
ALTER POLICY account_workspaces ON workspaces
    USING (EXISTS (SELECT FROM memberships m WHERE m.workspace_id = workspaces.workspace_id AND m.ended_at IS NULL
        AND m.user_id = (SELECT nullif(current_setting('app.user_id', true), '')::uuid)));
ALTER POLICY tenant_members ON users
    USING (EXISTS (SELECT FROM memberships m WHERE m.user_id = users.id AND m.ended_at IS NULL
        AND m.workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid)));

CREATE TABLE invitations (
    workspace_id uuid NOT NULL REFERENCES workspaces (workspace_id),
    id uuid NOT NULL,
    email text NOT NULL CHECK (length(email) BETWEEN 3 AND 254),
    email_key text NOT NULL CHECK (length(email_key) BETWEEN 3 AND 254),
    role text NOT NULL CHECK (role IN ('owner', 'admin', 'developer', 'member', 'billing', 'viewer')),
    token_digest bytea NOT NULL CHECK (octet_length(token_digest) = 32),
    invited_by uuid NOT NULL REFERENCES users (id),
    created_at timestamptz NOT NULL CHECK (isfinite(created_at)),
    sent_at timestamptz NOT NULL CHECK (isfinite(sent_at)),
    expires_at timestamptz NOT NULL CHECK (isfinite(expires_at)),
    accepted_at timestamptz CHECK (isfinite(accepted_at)),
    revoked_at timestamptz CHECK (isfinite(revoked_at)),
    version bigint NOT NULL DEFAULT 1,
    mac bytea NOT NULL DEFAULT '',
    PRIMARY KEY (workspace_id, id),
    CONSTRAINT invitations_end_once CHECK (num_nonnulls(accepted_at, revoked_at) <= 1)
);
COMMENT ON TABLE invitations IS 'goes a month after its time is over, with the address in it';
COMMENT ON COLUMN invitations.email_key IS 'the address as it is compared: ASCII, lower case';
COMMENT ON COLUMN invitations.mac IS 'over what the row grants; empty: it grants nothing';
CREATE UNIQUE INDEX invitations_one_open ON invitations (workspace_id, email_key) WHERE accepted_at IS NULL AND revoked_at IS NULL;
CREATE INDEX invitations_by_token ON invitations (token_digest);
COMMENT ON INDEX invitations_by_token IS 'crosses tenants: operational path look_up_invitation';
CREATE TRIGGER raise_version BEFORE UPDATE ON invitations FOR EACH ROW EXECUTE FUNCTION raise_version();

-- The walls -----------------------------------------------------------------------------------------

ALTER TABLE invitations ENABLE ROW LEVEL SECURITY;
ALTER TABLE invitations FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON invitations TO bailiwick_owner USING (true) WITH CHECK (true);
REVOKE ALL ON invitations FROM PUBLIC;
CREATE POLICY tenant_rows ON invitations TO bailiwick_runtime
    USING (workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid))
    WITH CHECK (workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid));
GRANT SELECT, INSERT, DELETE,
    UPDATE (token_digest, invited_by, sent_at, expires_at, accepted_at, revoked_at, mac) ON invitations TO bailiwick_runtime;

-- Whoever holds a token is told what it invites to; nothing is changed on this path.
CREATE POLICY path_select ON invitations FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'look_up_invitation');
CREATE POLICY vouched_select ON invitations FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'vouch_for_rows');
CREATE POLICY vouched_update ON invitations FOR UPDATE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'vouch_for_rows')
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'vouch_for_rows');
GRANT SELECT, UPDATE (mac) ON invitations TO bailiwick_system;
CREATE POLICY invited_to ON workspaces FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'look_up_invitation');
GRANT SELECT (name) ON workspaces TO bailiwick_system;
CREATE POLICY invited_by ON users FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'look_up_invitation');
