-- What witnesses said of the cell's log (C2SP tlog-witness), and how it stands with each of them (docs/adr/0024-witnesses.md).

-- A witness's line over a checkpoint of the cell's log. Nothing vouches for a row: each is verified before it is handed out.
CREATE TABLE ledger_cosignatures (
    generation integer NOT NULL CHECK (generation >= 1),
    size bigint NOT NULL CHECK (size >= 0),
    witness text NOT NULL CHECK (length(witness) BETWEEN 1 AND 300),
    line text NOT NULL CHECK (length(line) BETWEEN 1 AND 1000),
    cosigned_at timestamptz NOT NULL CHECK (isfinite(cosigned_at)),
    stored_at timestamptz NOT NULL CHECK (isfinite(stored_at)),
    PRIMARY KEY (generation, size, witness)
);
COMMENT ON COLUMN ledger_cosignatures.witness IS 'the name and id of its key, as they stand in the line';
COMMENT ON COLUMN ledger_cosignatures.cosigned_at IS 'by the witness''s own clock, as it signed it';

-- One row for each witness: what it cosigned last, and what was wrong when it was asked last.
CREATE TABLE ledger_witnesses (
    witness text PRIMARY KEY CHECK (length(witness) BETWEEN 1 AND 300),
    generation integer CHECK (generation >= 1),
    size bigint CHECK (size >= 0),
    cosigned_at timestamptz CHECK (isfinite(cosigned_at)),
    asked_at timestamptz NOT NULL CHECK (isfinite(asked_at)),
    busy_until timestamptz NOT NULL CHECK (isfinite(busy_until)),
    failures integer NOT NULL DEFAULT 0 CHECK (failures >= 0),
    fault text CHECK (length(fault) BETWEEN 1 AND 300),
    fault_at timestamptz CHECK (isfinite(fault_at)),
    CONSTRAINT ledger_witnesses_cosigned CHECK (num_nulls(generation, size, cosigned_at) IN (0, 3)),
    CONSTRAINT ledger_witnesses_fault CHECK (num_nulls(fault, fault_at) IN (0, 2))
);
COMMENT ON COLUMN ledger_witnesses.busy_until IS 'one node asks a witness at a time; after a failure nobody does for a while';
COMMENT ON COLUMN ledger_witnesses.failures IS 'since it cosigned last';

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['ledger_cosignatures', 'ledger_witnesses'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY owner_all ON %I TO bailiwick_owner USING (true) WITH CHECK (true)', t);
        EXECUTE format('REVOKE ALL ON %I FROM PUBLIC', t);
        EXECUTE format($policy$CREATE POLICY path_insert ON %I FOR INSERT TO bailiwick_system
            WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'ask_witnesses')$policy$, t);
    END LOOP;
END $$;
CREATE POLICY path_select ON ledger_cosignatures FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) IN ('ask_witnesses', 'show_manifest'));
CREATE POLICY path_delete ON ledger_cosignatures FOR DELETE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'ask_witnesses');
GRANT SELECT, INSERT, DELETE ON ledger_cosignatures TO bailiwick_system;
CREATE POLICY path_select ON ledger_witnesses FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'ask_witnesses');
CREATE POLICY path_update ON ledger_witnesses FOR UPDATE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'ask_witnesses')
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'ask_witnesses');
GRANT SELECT, INSERT, UPDATE (generation, size, cosigned_at, asked_at, busy_until, failures, fault, fault_at)
    ON ledger_witnesses TO bailiwick_system;

CREATE POLICY witness_select ON ledger_checkpoints FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) IN ('ask_witnesses', 'show_manifest'));
CREATE POLICY witness_select ON ledger_hashes FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'ask_witnesses');
