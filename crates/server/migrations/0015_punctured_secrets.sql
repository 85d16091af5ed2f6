-- A revoked version of a secret is made unreadable in every backup too: each version has a subject's number of its own,
-- whose key the anchor store punctures.

ALTER TABLE secret_versions ADD COLUMN subject bigint CHECK (subject BETWEEN 0 AND 4294967295);
COMMENT ON COLUMN secret_versions.subject IS 'whose key also seals the value: punctured when the version is revoked or deleted';

-- Keys that an older copy of the anchor store brings back are punctured again: of those alone who were erased by us.
ALTER TABLE vault_subjects ADD COLUMN erased_mac bytea;
COMMENT ON COLUMN vault_subjects.erased_mac IS 'over the number: whoever writes erased_at by hand has nobody''s key punctured';

-- The walls -----------------------------------------------------------------------------------------

GRANT SELECT (subject) ON secret_versions TO bailiwick_system;
GRANT UPDATE (erased_mac) ON vault_subjects TO bailiwick_system;

DROP POLICY path_select ON vault_subjects;
CREATE POLICY path_select ON vault_subjects FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) IN
        ('open_vault', 'sequence_ledger', 'shred', 'rotate_vault'));
DROP POLICY path_insert ON vault_subjects;
CREATE POLICY path_insert ON vault_subjects FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) IN ('open_vault', 'sequence_ledger'));
