-- A session tells whether a factor beyond the mail was shown when it began, and a person who proves themselves again gets
-- another session in its place.

ALTER TABLE sessions ADD COLUMN strong boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN sessions.strong IS 'a factor beyond the mail was shown when it began; the MAC is over it';
GRANT SELECT (strong) ON sessions TO bailiwick_runtime;

-- A person's own factors are added, shown and removed, and their session is replaced.
CREATE POLICY factors_insert ON sessions FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'manage_factors');
CREATE POLICY factors_select ON sessions FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'manage_factors');
CREATE POLICY factors_update ON sessions FOR UPDATE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'manage_factors')
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'manage_factors');
CREATE POLICY factors_insert ON refresh_tokens FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'manage_factors');
CREATE POLICY factors_select ON users FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'manage_factors');
CREATE POLICY factors_append ON cell_ledger_staged FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'manage_factors');
CREATE POLICY factors_append ON feed_changes FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'manage_factors');
CREATE POLICY factors_told ON jobs_ready FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'manage_factors');
CREATE POLICY factors_told ON job_payloads FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'manage_factors');
