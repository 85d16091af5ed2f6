-- Factors beyond the mail: authenticators (RFC 6238), recovery codes, the second step of a sign-in, and workspaces that demand
-- one. Passkeys have a table of their own.

-- Since when the mail alone does not sign a person in. It stands in the person's own row, under its MAC: whoever takes rows of
-- factors away makes nobody's sign-in weaker.
ALTER TABLE users ADD COLUMN strong_since timestamptz CHECK (isfinite(strong_since));
COMMENT ON COLUMN users.strong_since IS 'since when the person has a factor beyond the mail, so that the mail alone signs them in no more; the MAC is over it';

CREATE TABLE authenticators (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 80),
    secret_sealed bytea,
    created_at timestamptz NOT NULL CHECK (isfinite(created_at)),
    confirmed_at timestamptz CHECK (isfinite(confirmed_at)),
    last_step bigint NOT NULL DEFAULT 0,
    last_used_at timestamptz CHECK (isfinite(last_used_at)),
    removed_at timestamptz CHECK (isfinite(removed_at)),
    version bigint NOT NULL DEFAULT 1,
    mac bytea NOT NULL DEFAULT '',
    CONSTRAINT authenticators_secret CHECK (secret_sealed IS NULL OR removed_at IS NULL)
);
COMMENT ON TABLE authenticators IS 'one that was removed stays, without its secret, so that its version goes on; one that was never confirmed goes after an hour';
COMMENT ON COLUMN authenticators.last_step IS 'the last time step that was accepted: that one, and what is before it, is refused';
COMMENT ON COLUMN authenticators.mac IS 'over what the row grants; empty: it grants nothing';
CREATE INDEX authenticators_by_user ON authenticators (user_id, id);
-- Sealing the secret anew changes nothing that the row grants.
CREATE TRIGGER raise_version BEFORE UPDATE OF confirmed_at, last_step, last_used_at, removed_at, mac ON authenticators
    FOR EACH ROW EXECUTE FUNCTION raise_version();

-- One row for each person who has or had a factor: their recovery codes, and the codes that were wrong.
CREATE TABLE factor_holders (
    user_id uuid PRIMARY KEY REFERENCES users (id),
    recovery_codes bytea[] NOT NULL DEFAULT '{}' CHECK (cardinality(recovery_codes) <= 10),
    codes_made_at timestamptz CHECK (isfinite(codes_made_at)),
    failures integer NOT NULL DEFAULT 0 CHECK (failures >= 0),
    failed_at timestamptz CHECK (isfinite(failed_at)),
    version bigint NOT NULL DEFAULT 1,
    mac bytea NOT NULL DEFAULT ''
);
COMMENT ON COLUMN factor_holders.recovery_codes IS 'MACs of those that were not used';
COMMENT ON COLUMN factor_holders.failures IS 'wrong codes since the last good one: the more, the longer the next has to wait';
COMMENT ON COLUMN factor_holders.mac IS 'over what the row grants; empty: it grants nothing';
CREATE TRIGGER raise_version BEFORE UPDATE ON factor_holders FOR EACH ROW EXECUTE FUNCTION raise_version();

-- Somebody has shown what the mail told them, and owes a factor.
CREATE TABLE second_steps (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id),
    token_digest bytea NOT NULL CHECK (octet_length(token_digest) = 32),
    signed_in_by text NOT NULL CHECK (signed_in_by IN ('mail_link', 'mail_code')),
    created_at timestamptz NOT NULL CHECK (isfinite(created_at)),
    expires_at timestamptz NOT NULL CHECK (isfinite(expires_at)),
    tries smallint NOT NULL DEFAULT 0 CHECK (tries BETWEEN 0 AND 5),
    ended_at timestamptz CHECK (isfinite(ended_at)),
    mac bytea NOT NULL DEFAULT ''
);
COMMENT ON TABLE second_steps IS 'goes a day after its time is over';
COMMENT ON COLUMN second_steps.mac IS 'over what the row grants; empty: it grants nothing';
CREATE INDEX second_steps_by_time ON second_steps (expires_at);

-- Whether the workspace lets in only those who have shown a factor. It stands in each membership, under its MAC: whoever takes a
-- row away takes the membership with it.
ALTER TABLE memberships ADD COLUMN strong_only boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN memberships.strong_only IS 'the workspace demands a session in which a factor beyond the mail was shown; the MAC is over it';

-- The walls -----------------------------------------------------------------------------------------

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['authenticators', 'factor_holders', 'second_steps'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY owner_all ON %I TO bailiwick_owner USING (true) WITH CHECK (true)', t);
        EXECUTE format('REVOKE ALL ON %I FROM PUBLIC', t);
        EXECUTE format($policy$CREATE POLICY path_select ON %I FOR SELECT TO bailiwick_system
            USING ((SELECT current_setting('app.operational_path', true)) = 'manage_factors')$policy$, t);
        EXECUTE format($policy$CREATE POLICY path_update ON %I FOR UPDATE TO bailiwick_system
            USING ((SELECT current_setting('app.operational_path', true)) = 'manage_factors')
            WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'manage_factors')$policy$, t);
        EXECUTE format($policy$CREATE POLICY vouched_select ON %I FOR SELECT TO bailiwick_system
            USING ((SELECT current_setting('app.operational_path', true)) = 'vouch_for_rows')$policy$, t);
        EXECUTE format($policy$CREATE POLICY vouched_update ON %I FOR UPDATE TO bailiwick_system
            USING ((SELECT current_setting('app.operational_path', true)) = 'vouch_for_rows')
            WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'vouch_for_rows')$policy$, t);
    END LOOP;
    FOREACH t IN ARRAY ARRAY['authenticators', 'factor_holders'] LOOP
        EXECUTE format($policy$CREATE POLICY path_insert ON %I FOR INSERT TO bailiwick_system
            WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'manage_factors')$policy$, t);
    END LOOP;
END $$;

CREATE POLICY path_delete ON authenticators FOR DELETE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'manage_factors');
GRANT SELECT, INSERT, DELETE,
    UPDATE (secret_sealed, confirmed_at, last_step, last_used_at, removed_at, mac) ON authenticators TO bailiwick_system;
GRANT SELECT, INSERT, UPDATE (recovery_codes, codes_made_at, failures, failed_at, mac) ON factor_holders TO bailiwick_system;

CREATE POLICY path_insert ON second_steps FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'redeem_sign_in');
CREATE POLICY expired_select ON second_steps FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'expire_replays');
CREATE POLICY expired_delete ON second_steps FOR DELETE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'expire_replays');
GRANT SELECT, INSERT, DELETE, UPDATE (tries, ended_at, mac) ON second_steps TO bailiwick_system;

-- Sealed columns are sealed anew under a newer key.
CREATE POLICY resealed_select ON authenticators FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'rotate_vault');
CREATE POLICY resealed_update ON authenticators FOR UPDATE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'rotate_vault')
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'rotate_vault');

CREATE POLICY factors_update ON users FOR UPDATE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'manage_factors')
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'manage_factors');
GRANT UPDATE (strong_since) ON users TO bailiwick_system;
-- The members of the workspace at hand, to those who may say that it demands factors.
GRANT SELECT (strong_since) ON users TO bailiwick_runtime;
GRANT UPDATE (strong_only) ON memberships TO bailiwick_runtime;
-- Whether a workspace of the person's demands a factor.
CREATE POLICY factors_select ON memberships FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'manage_factors');
