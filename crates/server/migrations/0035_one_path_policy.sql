-- What the paths may do with a table was said by a policy of each feature. For each command PostgreSQL joins them by OR, and
-- sets every one of them up for every statement: a dozen for the insert of an entry of the cell's. One policy for each table and
-- command names all of its paths.

DO $$
DECLARE
    one record;
    condition text;
BEGIN
    FOR one IN
        SELECT p.tablename, p.cmd, array_agg(p.policyname) AS names, array_agg(coalesce(p.qual, p.with_check)) AS conditions
        FROM pg_policies p
        WHERE p.schemaname = 'public' AND p.roles = '{bailiwick_system}' AND p.cmd IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
            -- Nothing but a comparison of the path, with one word or several, and the same for what is read and what is written.
            AND coalesce(p.qual, p.with_check) ~ ('^\(\( SELECT current_setting\(''app\.operational_path''::text, true\) AS current_setting\)'
                || ' = (ANY \(ARRAY\[(''[a-z_]+''::text(, )?)+\]\)|''[a-z_]+''::text)\)$')
            AND (p.qual IS NULL OR p.with_check IS NULL OR p.qual = p.with_check)
        GROUP BY p.tablename, p.cmd
        HAVING count(*) > 1
    LOOP
        SELECT format('((SELECT current_setting(''app.operational_path'', true)) IN (%s))',
            string_agg(DISTINCT quote_literal(said.path[1]), ', '))
        INTO condition
        FROM unnest(one.conditions) AS whole,
            regexp_matches(substr(whole, strpos(whole, ') = ')), '''([a-z_]+)''::text', 'g') AS said (path);
        FOR i IN 1 .. cardinality(one.names) LOOP
            EXECUTE format('DROP POLICY %I ON %I', one.names[i], one.tablename);
        END LOOP;
        EXECUTE format('CREATE POLICY %I ON %I FOR %s TO bailiwick_system %s', 'path_' || lower(one.cmd), one.tablename, one.cmd,
            CASE one.cmd
                WHEN 'INSERT' THEN 'WITH CHECK ' || condition
                WHEN 'UPDATE' THEN 'USING ' || condition || ' WITH CHECK ' || condition
                ELSE 'USING ' || condition
            END);
    END LOOP;
END $$;
