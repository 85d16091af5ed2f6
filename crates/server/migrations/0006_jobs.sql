-- Work that survives: jobs wait, are claimed under a lease, and end; payloads stand apart from them.
--
-- A lane is a workspace's jobs of one kind, retries apart from first tries. The cell's own lanes stand under the nil
-- uuid, which no transaction of a tenant can name, and environment 'live'. No foreign key leads out of here: enqueuing
-- must cost little, and a job may outlive what it is about.

-- What waits or runs. Narrow, for every job is written here three times: added, claimed, gone. A claim and the renewal of
-- a lease change no indexed column, so with room on the page they add no index entry (HOT). The types of the server
-- check what CHECKs would.
CREATE TABLE jobs_ready (
    workspace_id uuid NOT NULL,
    environment text NOT NULL,
    project_id uuid,
    id uuid NOT NULL,
    kind text COLLATE "C" NOT NULL,
    retrying boolean NOT NULL DEFAULT false,
    due_at timestamptz NOT NULL,
    attempts smallint NOT NULL DEFAULT 0,
    fence bigint NOT NULL DEFAULT 0,
    leased_until timestamptz,
    last_error text,
    PRIMARY KEY (workspace_id, id)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 50000, autovacuum_vacuum_cost_delay = 0,
    vacuum_truncate = false);
CREATE INDEX jobs_ready_by_lane ON jobs_ready (workspace_id, kind, retrying, due_at, id);
COMMENT ON COLUMN jobs_ready.fence IS 'raised by every claim: whoever holds an older one has lost the lease';
COMMENT ON COLUMN jobs_ready.leased_until IS 'by the clock of the database, which all nodes share';

-- What a job is about, sealed. Appended, deleted when the job ends, retired by DROP when a day's are all gone.
CREATE TABLE job_payloads (
    workspace_id uuid NOT NULL,
    environment text NOT NULL,
    project_id uuid,
    id uuid NOT NULL,
    payload_sealed bytea NOT NULL,
    PRIMARY KEY (workspace_id, id)
) PARTITION BY RANGE (id);

-- What was given up. The error is one of our own words: it can hold nothing of a payload. The fence is kept, so that a
-- worker of before stays fenced off when the job is tried again.
CREATE TABLE jobs_dead (
    workspace_id uuid NOT NULL,
    environment text NOT NULL,
    project_id uuid,
    id uuid NOT NULL,
    kind text COLLATE "C" NOT NULL,
    attempts smallint NOT NULL,
    fence bigint NOT NULL,
    error text NOT NULL,
    is_scrubbed boolean NOT NULL,
    died_at timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, id)
);

-- What comes again and again. next_run_at moves in the transaction that enqueues, under the row's lock.
CREATE TABLE job_schedules (
    kind text COLLATE "C" PRIMARY KEY,
    last_run_at timestamptz,
    next_run_at timestamptz NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);

-- Partition upkeep, for challenges and payloads. A day's payloads go when none is left: a job may wait for weeks.

CREATE OR REPLACE FUNCTION partition_upkeep() RETURNS TABLE (made integer, dropped integer)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
    parent text;
    day date;
    part text;
    lower_bound uuid;
    upper_bound uuid;
    in_use boolean;
BEGIN
    made := 0;
    dropped := 0;
    DELETE FROM public.sign_in_challenges_default WHERE expires_at < now() - interval '1 day';
    FOREACH parent IN ARRAY ARRAY['sign_in_challenges', 'job_payloads'] LOOP
        FOR day IN SELECT generate_series(0, 2) + (now() AT TIME ZONE 'UTC')::date LOOP
            part := parent || '_' || to_char(day, 'YYYYMMDD');
            CONTINUE WHEN to_regclass('public.' || part) IS NOT NULL;
            lower_bound := rpad(lpad(to_hex((extract(epoch FROM day::timestamp AT TIME ZONE 'UTC') * 1000)::bigint), 12, '0'), 32, '0')::uuid;
            upper_bound := rpad(lpad(to_hex((extract(epoch FROM (day + 1)::timestamp AT TIME ZONE 'UTC') * 1000)::bigint), 12, '0'), 32, '0')::uuid;
            BEGIN
                EXECUTE format('CREATE TABLE public.%I PARTITION OF public.%I FOR VALUES FROM (%L) TO (%L)
                    WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0)',
                    part, parent, lower_bound, upper_bound);
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
            WHERE i.inhparent = ('public.' || parent)::regclass AND c.relname ~ ('^' || parent || '_[0-9]{8}$')
              AND right(c.relname, 8) < to_char((now() AT TIME ZONE 'UTC')::date - 1, 'YYYYMMDD')
            ORDER BY c.relname
        LOOP
            BEGIN
                IF parent = 'job_payloads' THEN
                    EXECUTE format('SELECT EXISTS (SELECT FROM public.%I)', part) INTO in_use;
                    CONTINUE WHEN in_use;
                    -- Looked at again under the locks that the DROP needs: nothing can come in between.
                    EXECUTE format('LOCK TABLE ONLY public.%I, ONLY public.%I IN ACCESS EXCLUSIVE MODE', parent, part);
                    EXECUTE format('SELECT EXISTS (SELECT FROM public.%I)', part) INTO in_use;
                    CONTINUE WHEN in_use;
                END IF;
                EXECUTE format('DROP TABLE public.%I', part);
                dropped := dropped + 1;
            EXCEPTION WHEN lock_not_available THEN
                NULL; -- somebody reads it for long; next time
            END;
        END LOOP;
    END LOOP;
    RETURN NEXT;
END $$;

CREATE TABLE job_payloads_default PARTITION OF job_payloads DEFAULT;
ALTER TABLE job_payloads_default ENABLE ROW LEVEL SECURITY;
ALTER TABLE job_payloads_default FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON job_payloads_default TO bailiwick_owner USING (true) WITH CHECK (true);
SELECT * FROM partition_upkeep();

-- The walls -----------------------------------------------------------------------------------

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['jobs_ready', 'job_payloads', 'jobs_dead', 'job_schedules'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY owner_all ON %I TO bailiwick_owner USING (true) WITH CHECK (true)', t);
        EXECUTE format('REVOKE ALL ON %I FROM PUBLIC', t);
    END LOOP;

    -- A tenant adds to its own lanes. A job's own transaction holds its row until it commits, and ends it.
    FOREACH t IN ARRAY ARRAY['jobs_ready', 'job_payloads'] LOOP
        EXECUTE format($policy$CREATE POLICY tenant_rows ON %I TO bailiwick_runtime
            USING (workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid)
                AND environment = (SELECT nullif(current_setting('app.environment', true), ''))
                AND ((SELECT current_setting('app.project_id', true)) = '*'
                    OR project_id = (SELECT nullif(nullif(current_setting('app.project_id', true), ''), '*')::uuid)))
            WITH CHECK (workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid)
                AND environment = (SELECT nullif(current_setting('app.environment', true), ''))
                AND ((SELECT current_setting('app.project_id', true)) = '*'
                    OR project_id = (SELECT nullif(nullif(current_setting('app.project_id', true), ''), '*')::uuid)))$policy$, t);
    END LOOP;
END $$;
GRANT SELECT (workspace_id, environment, project_id, id, fence), INSERT, UPDATE (leased_until), DELETE
    ON jobs_ready TO bailiwick_runtime;
GRANT SELECT (workspace_id, environment, project_id, id), INSERT, DELETE ON job_payloads TO bailiwick_runtime;

-- Enqueuing, by those paths that have something to enqueue.
CREATE POLICY path_insert ON jobs_ready FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) IN ('request_sign_in', 'schedule_jobs', 'manage_jobs'));
CREATE POLICY path_insert ON job_payloads FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'request_sign_in');

-- Claiming, renewing, ending, burying.
CREATE POLICY path_select ON jobs_ready FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) IN ('run_jobs', 'schedule_jobs', 'manage_jobs'));
CREATE POLICY path_update ON jobs_ready FOR UPDATE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) IN ('run_jobs', 'manage_jobs'))
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) IN ('run_jobs', 'manage_jobs'));
CREATE POLICY path_delete ON jobs_ready FOR DELETE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) IN ('run_jobs', 'manage_jobs'));
GRANT SELECT, INSERT, UPDATE (retrying, due_at, attempts, fence, leased_until, last_error), DELETE
    ON jobs_ready TO bailiwick_system;

CREATE POLICY path_select ON job_payloads FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) IN ('run_jobs', 'manage_jobs'));
CREATE POLICY path_delete ON job_payloads FOR DELETE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) IN ('run_jobs', 'manage_jobs'));
GRANT SELECT, INSERT, DELETE ON job_payloads TO bailiwick_system;

CREATE POLICY path_insert ON jobs_dead FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'run_jobs');
CREATE POLICY path_select ON jobs_dead FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) IN ('run_jobs', 'manage_jobs'));
CREATE POLICY path_delete ON jobs_dead FOR DELETE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) IN ('run_jobs', 'manage_jobs'));
GRANT SELECT, INSERT, DELETE ON jobs_dead TO bailiwick_system;

CREATE POLICY path_insert ON job_schedules FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'schedule_jobs');
CREATE POLICY path_select ON job_schedules FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) IN ('schedule_jobs', 'manage_jobs'));
CREATE POLICY path_update ON job_schedules FOR UPDATE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'schedule_jobs')
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'schedule_jobs');
GRANT SELECT, INSERT, UPDATE (last_run_at, next_run_at) ON job_schedules TO bailiwick_system;

-- What an operator did with a job is in the cell's own log.
CREATE POLICY path_appends_on_jobs ON cell_ledger_staged FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'manage_jobs');
