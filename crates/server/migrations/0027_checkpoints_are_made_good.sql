-- A stored checkpoint is what the journal and the log's key say it is: one that somebody else wrote is written over.
CREATE POLICY path_update ON ledger_checkpoints FOR UPDATE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'sign_ledger')
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'sign_ledger');
GRANT UPDATE (note, signed_at) ON ledger_checkpoints TO bailiwick_system;

ALTER TABLE ledger_keys ADD CONSTRAINT ledger_keys_generation CHECK (generation >= 1);
ALTER TABLE ledger_checkpoints ADD CONSTRAINT ledger_checkpoints_generation CHECK (generation >= 1);
