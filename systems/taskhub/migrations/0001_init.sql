-- Accounts. Passwords are argon2 strings, tokens are stored as SHA-256 only.
CREATE TABLE users (
    user_id       uuid PRIMARY KEY,
    username      text NOT NULL UNIQUE,
    email         text NOT NULL UNIQUE,
    password_hash text NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE sessions (
    token_hash bytea PRIMARY KEY,
    user_id    uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);

-- The queue. A row is claimed by a worker for the length of a lease; `attempt`
-- grows with every claim and is the fencing token checked by every later write.
-- The payload is `json`, not `jsonb`, so that what was sent is what is read.
CREATE TABLE tasks (
    id              uuid PRIMARY KEY,
    user_id         uuid NOT NULL REFERENCES users,
    task_type       text NOT NULL,
    payload         json NOT NULL,
    idempotency_key text,
    status          text NOT NULL DEFAULT 'pending' CHECK (status IN
        ('pending', 'running', 'retrying', 'completed', 'dead', 'cancelled')),
    attempt         integer NOT NULL DEFAULT 0,
    failures        integer NOT NULL DEFAULT 0,
    deaths          integer NOT NULL DEFAULT 0,
    max_attempts    integer NOT NULL,
    last_error      text,
    worker          text,
    result          json,
    run_at          timestamptz NOT NULL DEFAULT now(),
    lease_until     timestamptz,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    completed_at    timestamptz,
    UNIQUE (user_id, idempotency_key)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500);

-- Only waiting and running rows are indexed for claiming, so a long history of
-- finished tasks costs a claim nothing.
CREATE INDEX tasks_due ON tasks (run_at, id) WHERE status IN ('pending', 'retrying');
CREATE INDEX tasks_leased ON tasks (lease_until) WHERE status = 'running';
CREATE INDEX tasks_of_user ON tasks (user_id, created_at DESC);

-- One circuit breaker per task type, shared by all workers. `version` makes
-- read-decide-write safe without holding a lock across a round trip.
CREATE TABLE breakers (
    task_type  text PRIMARY KEY,
    state      text NOT NULL CHECK (state IN ('closed', 'open', 'half-open')),
    failures   integer NOT NULL,
    open_until timestamptz,
    version    bigint NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- One row per start of a server: how often it was restarted, and when.
CREATE TABLE starts (
    started_at timestamptz NOT NULL DEFAULT now()
);
