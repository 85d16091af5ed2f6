-- Whoever is suspended has nothing under way any more: what was sent to their address signs nobody in, nor does a second step that
-- they have begun, also once they are let in again.
ALTER POLICY path_select ON sign_in_challenges USING ((SELECT current_setting('app.operational_path', true))
    IN ('change_address', 'delete_account', 'manage_people', 'redeem_sign_in', 'vouch_for_rows'));
ALTER POLICY path_update ON sign_in_challenges USING ((SELECT current_setting('app.operational_path', true))
    IN ('change_address', 'delete_account', 'manage_people', 'redeem_sign_in', 'vouch_for_rows'))
    WITH CHECK ((SELECT current_setting('app.operational_path', true))
    IN ('change_address', 'delete_account', 'manage_people', 'redeem_sign_in', 'vouch_for_rows'));
ALTER POLICY path_select ON second_steps USING ((SELECT current_setting('app.operational_path', true))
    IN ('expire_replays', 'manage_factors', 'manage_people', 'vouch_for_rows'));
ALTER POLICY path_update ON second_steps USING ((SELECT current_setting('app.operational_path', true))
    IN ('manage_factors', 'manage_people', 'vouch_for_rows'))
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) IN ('manage_factors', 'manage_people', 'vouch_for_rows'));
CREATE INDEX second_steps_open ON second_steps (user_id) WHERE ended_at IS NULL;

-- An authenticator that was never confirmed goes after an hour, whether or not its person comes back.
ALTER POLICY path_select ON authenticators USING ((SELECT current_setting('app.operational_path', true))
    IN ('expire_replays', 'manage_factors', 'rotate_vault', 'vouch_for_rows'));
ALTER POLICY path_delete ON authenticators USING ((SELECT current_setting('app.operational_path', true))
    IN ('expire_replays', 'manage_factors'));
CREATE INDEX authenticators_unconfirmed ON authenticators (created_at) WHERE confirmed_at IS NULL;

-- A workspace has an owner who is let in.
GRANT SELECT (suspended_at) ON users TO bailiwick_runtime;
