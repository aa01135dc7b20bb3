-- work/workers: who executes, and what they hold
-- migrate:up
create table workers (
    id          uuid primary key,
    lock_id     bigint not null unique,
    host        text not null,
    pid         integer not null,
    concurrency integer not null,
    started_at  timestamptz not null default now(),
    alive_until timestamptz not null
);

-- One row per claimed batch; it goes when the last of its runs is recorded.
create table leases (
    id         bigint generated always as identity primary key,
    worker_id  uuid not null,
    run_ids    uuid[] not null,
    claimed_at timestamptz not null default now()
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
        autovacuum_vacuum_cost_delay = 0);
create index leases_by_worker on leases (worker_id);
