-- No moment is infinite: nothing can be computed from one, and whoever reads it cannot go on.

ALTER TABLE api_keys ADD CONSTRAINT api_keys_finite CHECK (
    isfinite(created_at) AND coalesce(isfinite(expires_at), true) AND coalesce(isfinite(revoked_at), true));
ALTER TABLE sessions ADD CONSTRAINT sessions_finite CHECK (
    isfinite(created_at) AND isfinite(expires_at) AND coalesce(isfinite(revoked_at), true));
ALTER TABLE job_schedules ADD CONSTRAINT job_schedules_finite CHECK (
    isfinite(next_run_at) AND coalesce(isfinite(last_run_at), true));
ALTER TABLE jobs_dead ADD CONSTRAINT jobs_dead_finite CHECK (isfinite(died_at));
ALTER TABLE api_key_uses ADD CONSTRAINT api_key_uses_finite CHECK (isfinite(last_used_at));
