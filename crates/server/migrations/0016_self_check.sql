-- The server checks its logs by itself; an operator who has looked lets a frozen one go on, with an entry in the cell's log.

CREATE POLICY path_appends_unfreeze ON cell_ledger_staged FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'unfreeze_ledger');
