-- The walls: row-level security, policies and grants for the tables of 0001.

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['users', 'sessions', 'refresh_tokens', 'sign_in_challenges', 'workspaces', 'memberships',
        'projects', 'api_keys', 'ledger_staged', 'cell_ledger_staged', 'idempotency_records', 'account_idempotency_records']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY owner_all ON %I TO bailiwick_owner USING (true) WITH CHECK (true)', t);
        EXECUTE format('REVOKE ALL ON %I FROM PUBLIC', t);
    END LOOP;
END $$;

-- WorkspaceTx ---------------------------------------------------------------------------------

CREATE POLICY tenant_rows ON workspaces TO bailiwick_runtime
    USING (workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid))
    WITH CHECK (workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid));
GRANT SELECT, INSERT ON workspaces TO bailiwick_runtime;

CREATE POLICY tenant_rows ON memberships TO bailiwick_runtime
    USING (workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid))
    WITH CHECK (workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid));
GRANT SELECT, INSERT, UPDATE (role) ON memberships TO bailiwick_runtime;

CREATE POLICY tenant_rows ON projects TO bailiwick_runtime
    USING (workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid)
        AND environment = (SELECT nullif(current_setting('app.environment', true), ''))
        AND ((SELECT current_setting('app.project_id', true)) = '*'
            OR id = (SELECT nullif(nullif(current_setting('app.project_id', true), ''), '*')::uuid)))
    WITH CHECK (workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid)
        AND environment = (SELECT nullif(current_setting('app.environment', true), ''))
        AND (SELECT current_setting('app.project_id', true)) = '*');
GRANT SELECT, INSERT ON projects TO bailiwick_runtime;

CREATE POLICY tenant_rows ON api_keys TO bailiwick_runtime
    USING (workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid)
        AND environment = (SELECT nullif(current_setting('app.environment', true), ''))
        AND ((SELECT current_setting('app.project_id', true)) = '*'
            OR project_id = (SELECT nullif(nullif(current_setting('app.project_id', true), ''), '*')::uuid)))
    WITH CHECK (workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid)
        AND environment = (SELECT nullif(current_setting('app.environment', true), ''))
        AND ((SELECT current_setting('app.project_id', true)) = '*'
            OR project_id = (SELECT nullif(nullif(current_setting('app.project_id', true), ''), '*')::uuid)));
GRANT SELECT (workspace_id, environment, project_id, id, name, lookup, scopes, created_by_user, created_by_key,
        created_at, expires_at, revoked_at, last_used_at),
    INSERT, UPDATE (revoked_at) ON api_keys TO bailiwick_runtime;

-- Staging appends: whoever stages can neither read nor change what was staged.
CREATE POLICY tenant_appends ON ledger_staged FOR INSERT TO bailiwick_runtime
    WITH CHECK (workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid)
        AND environment = (SELECT nullif(current_setting('app.environment', true), ''))
        AND ((SELECT current_setting('app.project_id', true)) = '*'
            OR project_id = (SELECT nullif(nullif(current_setting('app.project_id', true), ''), '*')::uuid)));
GRANT INSERT ON ledger_staged TO bailiwick_runtime;

CREATE POLICY tenant_rows ON idempotency_records TO bailiwick_runtime
    USING (workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid)
        AND environment = (SELECT nullif(current_setting('app.environment', true), '')))
    WITH CHECK (workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid)
        AND environment = (SELECT nullif(current_setting('app.environment', true), '')));
GRANT SELECT, INSERT ON idempotency_records TO bailiwick_runtime;

-- The members of the workspace at hand, by name; nobody else.
CREATE POLICY tenant_members ON users FOR SELECT TO bailiwick_runtime
    USING (EXISTS (SELECT FROM memberships m WHERE m.user_id = users.id
        AND m.workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid)));

-- AccountTx -----------------------------------------------------------------------------------

CREATE POLICY account_self ON users FOR SELECT TO bailiwick_runtime
    USING (id = (SELECT nullif(current_setting('app.user_id', true), '')::uuid));
GRANT SELECT (id, email, created_at) ON users TO bailiwick_runtime;

CREATE POLICY account_memberships ON memberships FOR SELECT TO bailiwick_runtime
    USING (user_id = (SELECT nullif(current_setting('app.user_id', true), '')::uuid));

CREATE POLICY account_workspaces ON workspaces FOR SELECT TO bailiwick_runtime
    USING (EXISTS (SELECT FROM memberships m WHERE m.workspace_id = workspaces.workspace_id
        AND m.user_id = (SELECT nullif(current_setting('app.user_id', true), '')::uuid)));

CREATE POLICY account_rows ON account_idempotency_records TO bailiwick_runtime
    USING (user_id = (SELECT nullif(current_setting('app.user_id', true), '')::uuid))
    WITH CHECK (user_id = (SELECT nullif(current_setting('app.user_id', true), '')::uuid));
GRANT SELECT, INSERT ON account_idempotency_records TO bailiwick_runtime;

-- SystemTx: each policy names the operational paths that reach the table -----------------------

CREATE POLICY path_insert ON sign_in_challenges FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'request_sign_in');
CREATE POLICY path_select ON sign_in_challenges FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'redeem_sign_in');
CREATE POLICY path_update ON sign_in_challenges FOR UPDATE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'redeem_sign_in')
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'redeem_sign_in');
GRANT SELECT, INSERT, UPDATE (code_tries, redeemed_at) ON sign_in_challenges TO bailiwick_system;

CREATE POLICY path_select ON users FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) IN ('redeem_sign_in', 'authenticate_session', 'refresh_session'));
CREATE POLICY path_insert ON users FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'redeem_sign_in');
GRANT SELECT, INSERT ON users TO bailiwick_system;

CREATE POLICY path_insert ON sessions FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'redeem_sign_in');
CREATE POLICY path_select ON sessions FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) IN ('authenticate_session', 'refresh_session', 'end_session'));
CREATE POLICY path_update ON sessions FOR UPDATE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) IN ('refresh_session', 'end_session'))
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) IN ('refresh_session', 'end_session'));
GRANT SELECT, INSERT, UPDATE (revoked_at) ON sessions TO bailiwick_system;

CREATE POLICY path_insert ON refresh_tokens FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) IN ('redeem_sign_in', 'refresh_session'));
CREATE POLICY path_select ON refresh_tokens FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) IN ('refresh_session', 'end_session', 'expire_replays'));
CREATE POLICY path_update ON refresh_tokens FOR UPDATE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) IN ('refresh_session', 'expire_replays'))
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) IN ('refresh_session', 'expire_replays'));
GRANT SELECT, INSERT, UPDATE (used_at, successor_sealed) ON refresh_tokens TO bailiwick_system;

CREATE POLICY path_select ON api_keys FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'authenticate_key');
CREATE POLICY path_select ON workspaces FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'authenticate_key');
GRANT SELECT (workspace_id, slug) ON workspaces TO bailiwick_system;
CREATE POLICY path_update ON api_keys FOR UPDATE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'authenticate_key')
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'authenticate_key');
GRANT SELECT (workspace_id, environment, project_id, id, name, lookup, digest, scopes, created_at, expires_at, revoked_at, last_used_at),
    UPDATE (last_used_at) ON api_keys TO bailiwick_system;

CREATE POLICY path_appends ON cell_ledger_staged FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) IN ('request_sign_in', 'redeem_sign_in', 'refresh_session', 'end_session'));
GRANT INSERT ON cell_ledger_staged TO bailiwick_system;

CREATE POLICY path_select ON idempotency_records FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'expire_replays');
CREATE POLICY path_delete ON idempotency_records FOR DELETE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'expire_replays');
GRANT SELECT (created_at), DELETE ON idempotency_records TO bailiwick_system;

CREATE POLICY path_select ON account_idempotency_records FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'expire_replays');
CREATE POLICY path_delete ON account_idempotency_records FOR DELETE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'expire_replays');
GRANT SELECT (created_at), DELETE ON account_idempotency_records TO bailiwick_system;

-- Partition upkeep: the one SECURITY DEFINER function -------------------------------------------
-- Makes the partitions of today and the two days after, and drops those that ended more than a
-- day ago. A partition is walled like any table, carries no grant and no policy but the owner's,
-- so whoever addresses it directly sees nothing. Rows whose clock ran far off go to the default.

CREATE FUNCTION partition_upkeep() RETURNS TABLE (made integer, dropped integer)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
    day date;
    part text;
    lower_bound uuid;
    upper_bound uuid;
BEGIN
    made := 0;
    dropped := 0;
    DELETE FROM public.sign_in_challenges_default WHERE expires_at < now() - interval '1 day';
    FOR day IN SELECT generate_series(0, 2) + (now() AT TIME ZONE 'UTC')::date LOOP
        part := 'sign_in_challenges_' || to_char(day, 'YYYYMMDD');
        CONTINUE WHEN to_regclass('public.' || part) IS NOT NULL;
        lower_bound := rpad(lpad(to_hex((extract(epoch FROM day::timestamp AT TIME ZONE 'UTC') * 1000)::bigint), 12, '0'), 32, '0')::uuid;
        upper_bound := rpad(lpad(to_hex((extract(epoch FROM (day + 1)::timestamp AT TIME ZONE 'UTC') * 1000)::bigint), 12, '0'), 32, '0')::uuid;
        BEGIN
            EXECUTE format('CREATE TABLE public.%I PARTITION OF public.sign_in_challenges FOR VALUES FROM (%L) TO (%L)', part, lower_bound, upper_bound);
            EXECUTE format('ALTER TABLE public.%I ENABLE ROW LEVEL SECURITY', part);
            EXECUTE format('ALTER TABLE public.%I FORCE ROW LEVEL SECURITY', part);
            EXECUTE format('CREATE POLICY owner_all ON public.%I TO bailiwick_owner USING (true) WITH CHECK (true)', part);
            made := made + 1;
        EXCEPTION WHEN check_violation OR duplicate_table THEN
            NULL; -- the default holds rows of that day until they expire, or another node was quicker
        END;
    END LOOP;
    FOR part IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'public.sign_in_challenges'::regclass AND c.relname ~ '^sign_in_challenges_[0-9]{8}$'
          AND right(c.relname, 8) < to_char((now() AT TIME ZONE 'UTC')::date - 1, 'YYYYMMDD')
    LOOP
        EXECUTE format('DROP TABLE public.%I', part);
        dropped := dropped + 1;
    END LOOP;
    RETURN NEXT;
END $$;
REVOKE ALL ON FUNCTION partition_upkeep() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION partition_upkeep() TO bailiwick_system;

CREATE TABLE sign_in_challenges_default PARTITION OF sign_in_challenges DEFAULT;
ALTER TABLE sign_in_challenges_default ENABLE ROW LEVEL SECURITY;
ALTER TABLE sign_in_challenges_default FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON sign_in_challenges_default TO bailiwick_owner USING (true) WITH CHECK (true);
SELECT * FROM partition_upkeep();
