-- A program without a browser signs in by somebody's word in one (RFC 8628).

CREATE TABLE device_logins (
    id uuid PRIMARY KEY,
    device_digest bytea NOT NULL CHECK (octet_length(device_digest) = 32),
    code_digest bytea NOT NULL CHECK (octet_length(code_digest) = 36),
    device text NOT NULL CHECK (length(device) <= 80),
    network text CHECK (length(network) <= 50),
    created_at timestamptz NOT NULL CHECK (isfinite(created_at)),
    expires_at timestamptz NOT NULL CHECK (isfinite(expires_at)),
    decided_at timestamptz CHECK (isfinite(decided_at)),
    decided_by uuid REFERENCES users (id),
    by_session uuid,
    approved boolean NOT NULL DEFAULT false,
    strong boolean NOT NULL DEFAULT false,
    picked_up_at timestamptz CHECK (isfinite(picked_up_at)),
    polled_at timestamptz CHECK (isfinite(polled_at)),
    interval_seconds integer NOT NULL CHECK (interval_seconds BETWEEN 1 AND 600),
    mac bytea NOT NULL DEFAULT '',
    CONSTRAINT device_logins_are_decided_by_somebody CHECK (num_nonnulls(decided_at, decided_by, by_session) IN (0, 3))
);
COMMENT ON TABLE device_logins IS 'goes an hour after its time is over';
COMMENT ON COLUMN device_logins.code_digest IS 'sign-in-code/v3: a MAC, by which the row is found';
COMMENT ON COLUMN device_logins.device IS 'words of ours for what the program said of itself when it asked';
COMMENT ON COLUMN device_logins.network IS 'a /24 of IPv4 or a /64 of IPv6, never an address';
COMMENT ON COLUMN device_logins.by_session IS 'whoever said so: what is opened by their word needs that session to live when it is opened';
COMMENT ON COLUMN device_logins.polled_at IS 'with interval_seconds: how often the program asks, which grants nothing; the MAC is not over them';
COMMENT ON COLUMN device_logins.mac IS 'over what the row grants; empty: it grants nothing';
CREATE INDEX device_logins_by_code ON device_logins (code_digest);
CREATE INDEX device_logins_by_time ON device_logins (expires_at);

-- The walls -----------------------------------------------------------------------------------------

ALTER TABLE device_logins ENABLE ROW LEVEL SECURITY;
ALTER TABLE device_logins FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON device_logins TO bailiwick_owner USING (true) WITH CHECK (true);
REVOKE ALL ON device_logins FROM PUBLIC;
CREATE POLICY path_insert ON device_logins FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'request_device_login');
CREATE POLICY path_select ON device_logins FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) IN ('redeem_device_login', 'expire_replays'));
CREATE POLICY path_update ON device_logins FOR UPDATE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'redeem_device_login')
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'redeem_device_login');
CREATE POLICY path_delete ON device_logins FOR DELETE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'expire_replays');
CREATE POLICY vouched_select ON device_logins FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'vouch_for_rows');
CREATE POLICY vouched_update ON device_logins FOR UPDATE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'vouch_for_rows')
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'vouch_for_rows');
GRANT SELECT, INSERT, DELETE,
    UPDATE (decided_at, decided_by, by_session, approved, strong, picked_up_at, polled_at, interval_seconds, mac)
    ON device_logins TO bailiwick_system;

-- What was approved opens a session when the program picks it up, if whoever approved it may still come in.
CREATE POLICY device_insert ON sessions FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'redeem_device_login');
CREATE POLICY device_select ON sessions FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'redeem_device_login');
CREATE POLICY device_insert ON refresh_tokens FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'redeem_device_login');
CREATE POLICY device_select ON users FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'redeem_device_login');
CREATE POLICY device_append ON cell_ledger_staged FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) IN ('request_device_login', 'redeem_device_login'));
