-- Which changes of an address were mailed to the new one: what is held back is merged into those, whose codes are good for whoever
-- waits for that address. A code proves that somebody reads the mailbox, whoever asked for it.
ALTER TABLE address_changes ADD COLUMN mailed boolean NOT NULL DEFAULT true;
COMMENT ON COLUMN address_changes.mailed IS 'whether the new address was written to: for an hour those count, and their codes do; nothing is granted by it';

-- Whoever deletes their account leaves no factor, no recovery code and no change of an address that waits.
ALTER POLICY path_select ON authenticators USING ((SELECT current_setting('app.operational_path', true))
    IN ('delete_account', 'expire_replays', 'manage_factors', 'rotate_vault', 'vouch_for_rows'));
ALTER POLICY path_update ON authenticators USING ((SELECT current_setting('app.operational_path', true))
    IN ('delete_account', 'manage_factors', 'rotate_vault', 'vouch_for_rows'))
    WITH CHECK ((SELECT current_setting('app.operational_path', true))
    IN ('delete_account', 'manage_factors', 'rotate_vault', 'vouch_for_rows'));
ALTER POLICY path_select ON factor_holders USING ((SELECT current_setting('app.operational_path', true))
    IN ('delete_account', 'manage_factors', 'vouch_for_rows'));
ALTER POLICY path_update ON factor_holders USING ((SELECT current_setting('app.operational_path', true))
    IN ('delete_account', 'manage_factors', 'vouch_for_rows'))
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) IN ('delete_account', 'manage_factors', 'vouch_for_rows'));
ALTER POLICY path_insert ON factor_holders
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) IN ('delete_account', 'manage_factors'));
ALTER POLICY path_select ON address_changes USING ((SELECT current_setting('app.operational_path', true))
    IN ('change_address', 'delete_account', 'expire_replays', 'vouch_for_rows'));
ALTER POLICY path_update ON address_changes USING ((SELECT current_setting('app.operational_path', true))
    IN ('change_address', 'delete_account', 'vouch_for_rows'))
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) IN ('change_address', 'delete_account', 'vouch_for_rows'));

-- An authenticator that was removed keeps no name.
ALTER TABLE authenticators DROP CONSTRAINT authenticators_name_check;
UPDATE authenticators SET name = '' WHERE removed_at IS NOT NULL;
ALTER TABLE authenticators ADD CONSTRAINT authenticators_name_check
    CHECK (length(name) BETWEEN 1 AND 80 OR (name = '' AND removed_at IS NOT NULL));
GRANT UPDATE (name) ON authenticators TO bailiwick_system;
