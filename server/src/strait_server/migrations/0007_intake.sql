-- work/intake: what a trigger passes
-- migrate:up
create table idempotency_keys (
    job_id     uuid not null,
    key        text not null,
    run_id     uuid not null,
    created_at timestamptz not null default now(),
    primary key (job_id, key)
);
create index idempotency_keys_by_age on idempotency_keys (created_at);

-- How many runs a scope admitted in each slice of its window.
create table rate_limit_buckets (
    scope     text not null,
    bucket_at timestamptz not null,
    admitted  integer not null,
    primary key (scope, bucket_at)
);
create index rate_limit_buckets_by_age on rate_limit_buckets (bucket_at);

create table batch_operations (
    id            uuid primary key,
    project_id    text not null,
    job_id        uuid not null,
    item_count    integer not null,
    created_count integer not null,
    created_by    text,
    created_at    timestamptz not null default now(),
    finished_at   timestamptz
);
create index batch_operations_by_project on batch_operations (project_id, created_at, id);
