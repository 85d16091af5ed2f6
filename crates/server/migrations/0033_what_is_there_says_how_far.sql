-- How far a deletion has come is told by what is there. A column that nobody vouches for could say that all of it was gone, and
-- what retention had promised away stayed.
ALTER TABLE ledger_cuts DROP COLUMN deleted_to;
DROP POLICY prune_update ON ledger_cuts;
