-- The house: people, workspaces, members, projects, API keys, staged ledger entries, replays.
--
-- Every table has row-level security enabled AND forced, a policy for the owner (or FORCE would
-- blind migrations, foreign-key validation and dumps), and policies TO named roles for the rest:
--
--   tenant_*   bailiwick_runtime in a WorkspaceTx   app.workspace_id, app.environment, app.project_id
--   account_*  bailiwick_runtime in an AccountTx    app.user_id
--   path_*     bailiwick_system  in a SystemTx      app.operational_path
--
-- A setting that is unset or empty sees nothing. app.project_id is a uuid, or '*' for unconfined.
-- Constraints and indexes of tenant tables begin with workspace_id; the few indexes that cross
-- tenants say in their comment under which transaction they are used.

REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO bailiwick_runtime, bailiwick_system;

-- The server compares the schema with what it was built for before it starts.
DO $$ BEGIN
    IF to_regclass('public._sqlx_migrations') IS NOT NULL THEN
        GRANT SELECT (version, success) ON public._sqlx_migrations TO bailiwick_system;
    END IF;
END $$;

-- People ------------------------------------------------------------------------------------

CREATE TABLE users (
    id uuid PRIMARY KEY,
    email text NOT NULL CHECK (length(email) BETWEEN 3 AND 254),
    email_key text NOT NULL CONSTRAINT users_email_key UNIQUE,
    created_at timestamptz NOT NULL,
    suspended_at timestamptz
);
COMMENT ON COLUMN users.email_key IS 'the address as it is compared: ASCII, lower case';

CREATE TABLE sessions (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id),
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz
);
CREATE INDEX sessions_by_user ON sessions (user_id, id);

CREATE TABLE refresh_tokens (
    digest bytea PRIMARY KEY CHECK (octet_length(digest) = 32),
    session_id uuid NOT NULL REFERENCES sessions (id),
    issued_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    successor_sealed bytea,
    CHECK (used_at IS NOT NULL OR successor_sealed IS NULL)
);
CREATE INDEX refresh_tokens_by_session ON refresh_tokens (session_id);
CREATE INDEX refresh_tokens_to_scrub ON refresh_tokens (used_at) WHERE successor_sealed IS NOT NULL;
COMMENT ON COLUMN refresh_tokens.successor_sealed IS 'so that losers of a parallel refresh get the winner''s successor';

-- Short-lived and asked for by anybody: partitioned by the UUIDv7 id and retired by DROP.
CREATE TABLE sign_in_challenges (
    id uuid PRIMARY KEY,
    email text NOT NULL CHECK (length(email) BETWEEN 3 AND 254),
    email_key text NOT NULL,
    challenge_digest bytea NOT NULL CHECK (octet_length(challenge_digest) = 32),
    token_digest bytea NOT NULL CHECK (octet_length(token_digest) = 32),
    code_digest bytea NOT NULL CHECK (octet_length(code_digest) = 32),
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    code_tries smallint NOT NULL DEFAULT 0 CHECK (code_tries BETWEEN 0 AND 5),
    redeemed_at timestamptz
) PARTITION BY RANGE (id);

-- Workspaces and who belongs to them ----------------------------------------------------------

CREATE TABLE workspaces (
    workspace_id uuid PRIMARY KEY,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 80),
    slug text NOT NULL CHECK (slug ~ '^[a-z0-9]([a-z0-9-]{0,46}[a-z0-9])?$' AND slug !~ '^ws_'),
    created_at timestamptz NOT NULL
);
COMMENT ON COLUMN workspaces.slug IS 'a name among one''s own workspaces, deliberately not unique in the cell';

CREATE TABLE memberships (
    workspace_id uuid NOT NULL REFERENCES workspaces (workspace_id),
    user_id uuid NOT NULL REFERENCES users (id),
    role text NOT NULL CHECK (role IN ('owner', 'admin', 'developer', 'member', 'billing', 'viewer')),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, user_id)
);
CREATE INDEX memberships_by_user ON memberships (user_id, workspace_id);
COMMENT ON INDEX memberships_by_user IS 'crosses tenants: account transactions';

CREATE TABLE projects (
    workspace_id uuid NOT NULL REFERENCES workspaces (workspace_id),
    environment text NOT NULL CHECK (environment IN ('live', 'test')),
    id uuid NOT NULL,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 80),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, id),
    CONSTRAINT projects_within_environment UNIQUE (workspace_id, environment, id),
    CONSTRAINT projects_name UNIQUE (workspace_id, environment, name)
);

CREATE TABLE api_keys (
    workspace_id uuid NOT NULL REFERENCES workspaces (workspace_id),
    environment text NOT NULL CHECK (environment IN ('live', 'test')),
    project_id uuid,
    id uuid NOT NULL,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 80),
    lookup text NOT NULL CHECK (lookup ~ '^[0-9A-Za-z]{8}$'),
    digest bytea NOT NULL CHECK (octet_length(digest) = 32),
    scopes text[] NOT NULL CHECK (scopes <@ ARRAY['read', 'read_draft', 'write', 'management'] AND cardinality(scopes) > 0),
    created_by_user uuid REFERENCES users (id),
    created_by_key uuid,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz,
    PRIMARY KEY (workspace_id, id),
    CONSTRAINT api_keys_within_environment UNIQUE (workspace_id, environment, id),
    CONSTRAINT api_keys_project FOREIGN KEY (workspace_id, environment, project_id)
        REFERENCES projects (workspace_id, environment, id),
    CONSTRAINT api_keys_made_by_key FOREIGN KEY (workspace_id, environment, created_by_key)
        REFERENCES api_keys (workspace_id, environment, id),
    CONSTRAINT api_keys_one_maker CHECK (num_nonnulls(created_by_user, created_by_key) = 1)
);
CREATE INDEX api_keys_by_lookup ON api_keys (lookup);
COMMENT ON INDEX api_keys_by_lookup IS 'crosses tenants: operational path authenticate_key';

-- What happened, before the ledger links it ---------------------------------------------------

CREATE TABLE ledger_staged (
    workspace_id uuid NOT NULL REFERENCES workspaces (workspace_id),
    environment text NOT NULL CHECK (environment IN ('live', 'test')),
    project_id uuid,
    id bigint GENERATED ALWAYS AS IDENTITY,
    event_id uuid NOT NULL,
    action text NOT NULL CHECK (action ~ '^[a-z]+(_[a-z]+)*(\.[a-z]+(_[a-z]+)*)+$'),
    actor jsonb NOT NULL,
    target jsonb NOT NULL,
    meta jsonb NOT NULL,
    trace_id text NOT NULL CHECK (trace_id ~ '^[0-9a-f]{32}$'),
    request_id uuid NOT NULL,
    external_request_id text CHECK (length(external_request_id) <= 128),
    client_ip text,
    staged_at timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, environment, id)
);

CREATE TABLE cell_ledger_staged (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id uuid NOT NULL,
    action text NOT NULL CHECK (action ~ '^[a-z]+(_[a-z]+)*(\.[a-z]+(_[a-z]+)*)+$'),
    actor jsonb NOT NULL,
    target jsonb NOT NULL,
    meta jsonb NOT NULL,
    trace_id text NOT NULL CHECK (trace_id ~ '^[0-9a-f]{32}$'),
    request_id uuid NOT NULL,
    external_request_id text CHECK (length(external_request_id) <= 128),
    client_ip text,
    staged_at timestamptz NOT NULL
);

-- Answers kept for a retry with the same Idempotency-Key --------------------------------------

CREATE TABLE idempotency_records (
    workspace_id uuid NOT NULL REFERENCES workspaces (workspace_id),
    environment text NOT NULL CHECK (environment IN ('live', 'test')),
    principal_id uuid NOT NULL,
    key_digest bytea NOT NULL CHECK (octet_length(key_digest) = 32),
    request_digest bytea NOT NULL CHECK (octet_length(request_digest) = 32),
    reply_sealed bytea NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, environment, principal_id, key_digest)
);
CREATE INDEX idempotency_records_by_age ON idempotency_records (created_at);
COMMENT ON INDEX idempotency_records_by_age IS 'crosses tenants: operational path expire_replays';

CREATE TABLE account_idempotency_records (
    user_id uuid NOT NULL REFERENCES users (id),
    key_digest bytea NOT NULL CHECK (octet_length(key_digest) = 32),
    request_digest bytea NOT NULL CHECK (octet_length(request_digest) = 32),
    reply_sealed bytea NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, key_digest)
);
CREATE INDEX account_idempotency_records_by_age ON account_idempotency_records (created_at);
