-- What a customer's program records is numbered in the request's own transaction (docs/adr/0019-ingest.md): as the role of
-- the operational paths, on a path of its own, and within the one workspace and environment that the request was granted.
-- A policy of this path names all three; without a workspace it shows nothing.

DO $$
DECLARE
    -- Table, command, and whether the table has environments.
    wall record;
    within text;
BEGIN
    FOR wall IN SELECT * FROM (VALUES
        ('idempotency_records', 'SELECT', true),
        ('idempotency_records', 'INSERT', true),
        ('ledger_staged', 'SELECT', true),
        ('ledger_staged', 'DELETE', true),
        ('ledger_heads', 'SELECT', true),
        ('ledger_heads', 'UPDATE', true),
        ('ledger_entries', 'INSERT', true),
        ('ledger_openings', 'INSERT', true),
        ('ledger_hashes', 'INSERT', true),
        ('vault_subjects', 'SELECT', false),
        ('vault_subjects', 'INSERT', false)
    ) AS walls (tab, command, has_environment)
    LOOP
        within := $wall$(SELECT current_setting('app.operational_path', true)) = 'record_events'
            AND workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid)$wall$;
        IF wall.has_environment THEN
            within := within || $wall$ AND environment = (SELECT nullif(current_setting('app.environment', true), ''))$wall$;
        END IF;
        EXECUTE format('CREATE POLICY record_%s ON %I FOR %s TO bailiwick_system %s', lower(wall.command), wall.tab, wall.command,
            CASE wall.command
                WHEN 'INSERT' THEN format('WITH CHECK (%s)', within)
                WHEN 'UPDATE' THEN format('USING (%s) WITH CHECK (%s)', within, within)
                ELSE format('USING (%s)', within)
            END);
    END LOOP;
END $$;
GRANT SELECT (request_digest), INSERT ON idempotency_records TO bailiwick_system;
