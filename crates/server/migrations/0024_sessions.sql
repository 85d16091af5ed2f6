-- A person sees their sessions: on what, from where, since when.

-- Both are told to the person whose session it is, and grant nothing: the MAC is not over them.
ALTER TABLE sessions
    ADD COLUMN device text NOT NULL DEFAULT '' CHECK (length(device) <= 80),
    ADD COLUMN signed_in_by text NOT NULL DEFAULT '' CHECK (signed_in_by ~ '^[a-z_]{0,40}$');
COMMENT ON COLUMN sessions.device IS 'words of ours for what the browser or program said of itself';

-- A session was last seen when its newest token was handed out, from there.
ALTER TABLE refresh_tokens ADD COLUMN network text CHECK (length(network) <= 50);
COMMENT ON COLUMN refresh_tokens.network IS 'a /24 of IPv4 or a /64 of IPv6, never an address';
CREATE INDEX refresh_tokens_latest ON refresh_tokens (session_id, issued_at);
DROP INDEX refresh_tokens_by_session;

-- AccountTx: one's own, and of refresh tokens no digest.
CREATE POLICY account_sessions ON sessions FOR SELECT TO bailiwick_runtime
    USING (user_id = (SELECT nullif(current_setting('app.user_id', true), '')::uuid));
GRANT SELECT (id, user_id, created_at, expires_at, revoked_at, version, mac, device, signed_in_by) ON sessions TO bailiwick_runtime;
CREATE POLICY account_refresh_tokens ON refresh_tokens FOR SELECT TO bailiwick_runtime
    USING (EXISTS (SELECT FROM sessions s WHERE s.id = refresh_tokens.session_id
        AND s.user_id = (SELECT nullif(current_setting('app.user_id', true), '')::uuid)));
GRANT SELECT (session_id, issued_at, expires_at, network) ON refresh_tokens TO bailiwick_runtime;

-- Whose sessions were ended because a used token came back is told by mail, in that transaction.
CREATE POLICY reuse_told ON jobs_ready FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'refresh_session');
CREATE POLICY reuse_told ON job_payloads FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'refresh_session');
