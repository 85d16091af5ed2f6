-- "All sessions end", "all factors are gone": said once, in the person's own row, besides in the rows that end. Who owns the
-- database hides a row from such a statement and puts it back afterwards as it was; it is of another epoch then.
ALTER TABLE users
    ADD COLUMN session_epoch bigint NOT NULL DEFAULT 0,
    ADD COLUMN factor_epoch bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN users.session_epoch IS 'raised when all sessions end: one that began in another lives no more';
COMMENT ON COLUMN users.factor_epoch IS 'raised when all factors go: one of another is none';
ALTER TABLE sessions ADD COLUMN epoch bigint NOT NULL DEFAULT 0;
ALTER TABLE passkeys ADD COLUMN epoch bigint NOT NULL DEFAULT 0;
ALTER TABLE authenticators ADD COLUMN epoch bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN sessions.epoch IS 'the person''s session_epoch when it began, or when all others ended';
COMMENT ON COLUMN passkeys.epoch IS 'the person''s factor_epoch when it was added';
COMMENT ON COLUMN authenticators.epoch IS 'the person''s factor_epoch when it was begun';

GRANT UPDATE (session_epoch, factor_epoch) ON users TO bailiwick_system;
GRANT UPDATE (epoch) ON sessions TO bailiwick_system;
GRANT SELECT (session_epoch, factor_epoch) ON users TO bailiwick_runtime;
GRANT SELECT (epoch) ON sessions, passkeys TO bailiwick_runtime;

ALTER POLICY path_select ON users USING ((SELECT current_setting('app.operational_path', true))
    IN ('authenticate_session', 'change_address', 'delete_account', 'end_session', 'look_up_invitation', 'manage_factors',
        'manage_people', 'redeem_device_login', 'redeem_sign_in', 'refresh_session', 'request_sign_in', 'sign_in_by_passkey',
        'vouch_for_rows'));
ALTER POLICY path_update ON users USING ((SELECT current_setting('app.operational_path', true))
    IN ('change_address', 'delete_account', 'end_session', 'manage_factors', 'manage_people', 'refresh_session', 'vouch_for_rows'))
    WITH CHECK ((SELECT current_setting('app.operational_path', true))
    IN ('change_address', 'delete_account', 'end_session', 'manage_factors', 'manage_people', 'refresh_session', 'vouch_for_rows'));

ALTER TABLE factor_holders ADD COLUMN epoch bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN factor_holders.epoch IS 'the person''s factor_epoch when the recovery codes were made';
GRANT UPDATE (epoch) ON factor_holders TO bailiwick_system;
