-- The vault: keys under keys. What is sealed stands in the tables of its features; here are the keys that seal it.
--
-- A data key (DEK) belongs to one workspace, or to the cell under the nil uuid. Here it stands wrapped by the cell's key
-- (KEK), which the database never sees; a workspace's moreover by a secret of the anchor store, so that no backup of this
-- database opens what was shredded. Formats: docs/reference/vault-formats.md.

-- No release has sealed anything differently, and SQL cannot seal what the ledger kept in the clear.
DO $$ BEGIN
    IF EXISTS (SELECT FROM ledger_keys) OR EXISTS (SELECT FROM ledger_openings) THEN
        RAISE EXCEPTION 'this database was made before the vault, by a bailiwickd that was never released'
            USING HINT = 'make a new one; for bailiwickd dev: move its data directory and the anchor folder beside it away';
    END IF;
END $$;

CREATE TABLE vault_deks (
    workspace_id uuid NOT NULL,
    version integer NOT NULL CHECK (version >= 1),
    dek_id uuid NOT NULL,
    wrapped bytea NOT NULL,
    kek text NOT NULL CHECK (length(kek) BETWEEN 1 AND 200),
    kek_version integer NOT NULL CHECK (kek_version >= 1),
    uses bigint NOT NULL CHECK (uses >= 0),
    created_at timestamptz NOT NULL CHECK (isfinite(created_at)),
    PRIMARY KEY (workspace_id, version)
);
COMMENT ON COLUMN vault_deks.workspace_id IS 'the nil uuid for the cell''s own';
COMMENT ON COLUMN vault_deks.uses IS 'seals that nodes have reserved: always ahead of those that were made';
CREATE INDEX vault_deks_by_kek ON vault_deks (kek, kek_version);
COMMENT ON INDEX vault_deks_by_kek IS 'crosses tenants: operational path rotate_vault';

-- Who can be erased on their own: a number for each name, by which the anchor store derives the person's key.
CREATE TABLE vault_subjects (
    workspace_id uuid NOT NULL,
    number bigint NOT NULL CHECK (number BETWEEN 0 AND 4294967295),
    name_sealed bytea,
    name_index bytea CHECK (octet_length(name_index) = 32),
    erased_at timestamptz CHECK (isfinite(erased_at)),
    PRIMARY KEY (workspace_id, number),
    CONSTRAINT vault_subjects_name UNIQUE (workspace_id, name_index),
    CONSTRAINT vault_subjects_erased CHECK (num_nulls(name_sealed, name_index) = CASE WHEN erased_at IS NULL THEN 0 ELSE 2 END)
);
COMMENT ON COLUMN vault_subjects.name_index IS 'blind index of the name; gone with the person, whose number is never given again';

-- What entries say is sealed, each field for its own subject; what is looked up has a blind index.
DROP INDEX ledger_openings_by_actor;
DROP INDEX ledger_openings_by_target;
ALTER TABLE ledger_openings
    DROP COLUMN actor, DROP COLUMN actor_r, DROP COLUMN ip, DROP COLUMN ip_r,
    DROP COLUMN meta, DROP COLUMN meta_r, DROP COLUMN target, DROP COLUMN target_r,
    ADD COLUMN actor_sealed bytea,
    ADD COLUMN ip_sealed bytea,
    ADD COLUMN meta_sealed bytea,
    ADD COLUMN target_sealed bytea,
    ADD COLUMN actor_subject bigint,
    ADD COLUMN meta_subject bigint,
    ADD COLUMN target_subject bigint,
    ADD COLUMN actor_index bytea CHECK (octet_length(actor_index) = 32),
    ADD COLUMN target_index bytea CHECK (octet_length(target_index) = 32);
COMMENT ON COLUMN ledger_openings.actor_subject IS 'whose key also seals actor and ip: NULL when nobody can be erased from it';
CREATE INDEX ledger_openings_by_actor ON ledger_openings (workspace_id, environment, actor_index, generation, seq);
CREATE INDEX ledger_openings_by_target ON ledger_openings (workspace_id, environment, target_index, generation, seq);

-- The walls -----------------------------------------------------------------------------------------

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['vault_deks', 'vault_subjects'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY owner_all ON %I TO bailiwick_owner USING (true) WITH CHECK (true)', t);
        EXECUTE format('REVOKE ALL ON %I FROM PUBLIC', t);
    END LOOP;
END $$;

CREATE POLICY path_select ON vault_deks FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) IN ('open_vault', 'rotate_vault', 'shred'));
CREATE POLICY path_insert ON vault_deks FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'open_vault');
CREATE POLICY path_update ON vault_deks FOR UPDATE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) IN ('open_vault', 'rotate_vault'))
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) IN ('open_vault', 'rotate_vault'));
CREATE POLICY path_delete ON vault_deks FOR DELETE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'shred');
GRANT SELECT, INSERT, UPDATE (wrapped, kek, kek_version, uses), DELETE ON vault_deks TO bailiwick_system;

-- Sealing anew, and erasing.
CREATE POLICY path_select ON vault_subjects FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) IN ('sequence_ledger', 'shred', 'rotate_vault'));
CREATE POLICY path_insert ON vault_subjects FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'sequence_ledger');
CREATE POLICY path_update ON vault_subjects FOR UPDATE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) IN ('shred', 'rotate_vault'))
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) IN ('shred', 'rotate_vault'));
GRANT SELECT, INSERT, UPDATE (name_sealed, name_index, erased_at) ON vault_subjects TO bailiwick_system;

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['account_idempotency_records', 'idempotency_records', 'job_payloads', 'ledger_keys',
        'refresh_tokens']
    LOOP
        EXECUTE format($policy$CREATE POLICY vault_select ON %I FOR SELECT TO bailiwick_system
            USING ((SELECT current_setting('app.operational_path', true)) = 'rotate_vault')$policy$, t);
        EXECUTE format($policy$CREATE POLICY vault_update ON %I FOR UPDATE TO bailiwick_system
            USING ((SELECT current_setting('app.operational_path', true)) = 'rotate_vault')
            WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'rotate_vault')$policy$, t);
    END LOOP;
END $$;
CREATE POLICY vault_select ON ledger_openings FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) IN ('shred', 'rotate_vault'));
CREATE POLICY vault_update ON ledger_openings FOR UPDATE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) IN ('shred', 'rotate_vault'))
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) IN ('shred', 'rotate_vault'));
GRANT SELECT (user_id, key_digest, reply_sealed), UPDATE (reply_sealed) ON account_idempotency_records TO bailiwick_system;
GRANT SELECT (workspace_id, environment, principal_id, key_digest, reply_sealed), UPDATE (reply_sealed)
    ON idempotency_records TO bailiwick_system;
GRANT SELECT, UPDATE (payload_sealed) ON job_payloads TO bailiwick_system;
GRANT UPDATE (seed_sealed) ON ledger_keys TO bailiwick_system;
GRANT UPDATE (actor_sealed, ip_sealed, meta_sealed, target_sealed, actor_index, target_index) ON ledger_openings TO bailiwick_system;

CREATE POLICY vault_appends ON cell_ledger_staged FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) IN ('rotate_vault', 'shred'));
