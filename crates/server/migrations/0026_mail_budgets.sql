-- One address gets so many sign-in mails and no more; whoever asks beyond that signs in by the code of the newest.

-- A row is a bucket that fills by one mail each ten minutes: it is full again at full_at. It grants nothing: what it names is
-- looked at before it counts, and whoever alters it makes mails more or fewer. It goes an hour after it is full.
CREATE TABLE sign_in_mail_budgets (
    email_key text PRIMARY KEY CHECK (length(email_key) BETWEEN 3 AND 254),
    full_at timestamptz NOT NULL CHECK (isfinite(full_at)),
    newest uuid NOT NULL
);
COMMENT ON COLUMN sign_in_mail_budgets.email_key IS 'the address as it is compared: ASCII, lower case';
COMMENT ON COLUMN sign_in_mail_budgets.newest IS 'the challenge whose mail went out last';
CREATE INDEX sign_in_mail_budgets_by_time ON sign_in_mail_budgets (full_at);

ALTER TABLE sign_in_challenges ADD COLUMN merged_into uuid;
COMMENT ON COLUMN sign_in_challenges.merged_into IS 'no mail went out for this one: the code of that one''s mail is its own, or that of a newer';

-- The walls -----------------------------------------------------------------------------------------

ALTER TABLE sign_in_mail_budgets ENABLE ROW LEVEL SECURITY;
ALTER TABLE sign_in_mail_budgets FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON sign_in_mail_budgets TO bailiwick_owner USING (true) WITH CHECK (true);
REVOKE ALL ON sign_in_mail_budgets FROM PUBLIC;
CREATE POLICY path_select ON sign_in_mail_budgets FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) IN ('request_sign_in', 'redeem_sign_in', 'expire_replays'));
CREATE POLICY path_insert ON sign_in_mail_budgets FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'request_sign_in');
CREATE POLICY path_update ON sign_in_mail_budgets FOR UPDATE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) IN ('request_sign_in', 'redeem_sign_in'))
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) IN ('request_sign_in', 'redeem_sign_in'));
CREATE POLICY path_delete ON sign_in_mail_budgets FOR DELETE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'expire_replays');
GRANT SELECT, INSERT, UPDATE (full_at, newest), DELETE ON sign_in_mail_budgets TO bailiwick_system;

-- Mail goes to the address that is stored, however it was typed.
CREATE POLICY asked_for ON users FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'request_sign_in');
