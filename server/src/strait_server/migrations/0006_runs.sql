-- work/queue: the run row, its payload, and the places where a run waits
-- migrate:up

-- Partitioned by month on the UUIDv7 id, so that the primary key stays the id
-- and old months go by DROP. A fillfactor of 60 leaves room for the versions a
-- run's moves make on its page: no index holds a column that changes, so every
-- move is a heap-only update.
create table runs (
    id               uuid not null,
    project_id       text not null,
    job_id           uuid not null,
    status           text not null check (status in (
        'delayed', 'queued', 'dequeued', 'executing', 'waiting', 'completed', 'failed', 'timed_out', 'crashed',
        'system_failed', 'canceled', 'expired', 'dead_letter', 'replay_staged', 'paused')),
    attempt          integer not null default 1 check (attempt >= 1),
    priority         smallint not null default 0 check (priority between 0 and 10),
    gated            boolean not null default false,
    lineage_depth    smallint not null default 0,
    debug_mode       boolean not null default false,
    job_version      integer not null,
    lease_id         bigint,
    created_at       timestamptz not null default now(),
    updated_at       timestamptz not null default now(),
    queued_at        timestamptz,
    scheduled_at     timestamptz,
    next_retry_at    timestamptz,
    started_at       timestamptz,
    heartbeat_at     timestamptz,
    finished_at      timestamptz,
    expires_at       timestamptz,
    job_version_id   text,
    triggered_by     text not null default 'manual',
    created_by       text,
    concurrency_key  text check (length(concurrency_key) <= 256),
    idempotency_key  text check (length(idempotency_key) <= 256),
    batch_id         uuid,
    parent_run_id    uuid,
    replay_of        uuid,
    tags             jsonb,
    metadata         jsonb,
    result           json,
    error            text,
    error_class      text,
    -- Milliseconds: queue wait, dequeue, connect, first byte, transfer, dispatch, total.
    trace            integer[],
    -- Every move ever made, oldest first, as `run_move` writes them: microseconds
    -- since 1970 times 16, plus the ordinal of the new status in the list above.
    moves            bigint[] not null default '{}',
    primary key (id),
    check ((finished_at is not null) = (status in (
        'completed', 'failed', 'timed_out', 'crashed', 'system_failed', 'canceled', 'expired', 'dead_letter')))
) partition by range (id);
create index runs_by_project on runs (project_id, id);
create index runs_by_job on runs (job_id, id);
create index runs_by_parent on runs (parent_run_id, id) where parent_run_id is not null;
create index runs_by_batch on runs (batch_id, id) where batch_id is not null;

-- One entry of `moves`.
create function run_move(micros bigint, status text) returns bigint
language sql immutable strict as $$
    select micros * 16 + array_position(array[
        'delayed', 'queued', 'dequeued', 'executing', 'waiting', 'completed', 'failed', 'timed_out', 'crashed',
        'system_failed', 'canceled', 'expired', 'dead_letter', 'replay_staged', 'paused'], status) - 1
$$;

-- The payload lives apart from the state: a move must not rewrite it.
create table run_payloads (
    run_id  uuid not null,
    payload json not null,
    primary key (run_id)
) partition by range (run_id);

-- Final runs that did not complete, for lists, counts and retention.
create table unsuccessful_runs (
    run_id      uuid primary key,
    project_id  text not null,
    job_id      uuid not null,
    status      text not null,
    finished_at timestamptz not null default now()
);
create index unsuccessful_runs_by_project on unsuccessful_runs (project_id, status, run_id);
create index unsuccessful_runs_by_job on unsuccessful_runs (job_id, status, run_id);

create table run_events (
    id         uuid not null,
    run_id     uuid not null,
    type       text not null,
    level      text not null,
    message    text not null default '',
    data       json,
    attempt    integer,
    created_at timestamptz not null default now(),
    primary key (id)
) partition by range (id);
create index run_events_by_run on run_events (run_id, id);

-- What can be claimed now, and nothing else. `ord` is the database's clock in
-- microseconds when the run became claimable: it orders the queue and carries
-- the claimers' watermark.
create table queue (
    ord        bigint not null default (extract(epoch from clock_timestamp()) * 1000000)::bigint,
    priority   smallint not null,
    run_id     uuid not null,
    job_id     uuid not null,
    project_id text not null,
    expires_at timestamptz,
    metered    boolean not null default false
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000,
        autovacuum_vacuum_cost_delay = 0);
create index queue_in_order on queue (priority, ord);
create index queue_metered on queue (project_id) where metered;

-- Runs whose time has not come: delayed, retrying, snoozed, outside their window.
create table scheduled (
    run_id     uuid primary key,
    due_at     timestamptz not null,
    reason     text not null check (reason in ('delay', 'retry', 'snooze', 'window')),
    priority   smallint not null,
    job_id     uuid not null,
    project_id text not null,
    expires_at timestamptz,
    metered    boolean not null default false,
    gate       text,
    next_gate  text
);
create index scheduled_by_time on scheduled (due_at);
create index scheduled_by_job on scheduled (job_id);
create index scheduled_by_project on scheduled (project_id);

-- Runs held back, each at one gate: a concurrency key, its job's limit, or its
-- job's pause. `rank` orders them as the queue would.
create table blocked (
    run_id     uuid primary key,
    gate       text not null,
    next_gate  text,
    rank       bigint not null,
    priority   smallint not null,
    job_id     uuid not null,
    project_id text not null,
    expires_at timestamptz,
    metered    boolean not null default false,
    since      timestamptz not null default now()
);
create index blocked_in_order on blocked (gate, rank);
create index blocked_by_job on blocked (job_id);
create index blocked_by_project on blocked (project_id);

-- Who holds a place at a gate. A place is taken when the run enters the queue
-- and given back when it stops being active.
create table slots (
    run_id uuid not null,
    gate   text not null,
    since  timestamptz not null default now(),
    primary key (run_id, gate)
);
create index slots_by_gate on slots (gate);

-- The lowest UUIDv7 of a millisecond.
create function id_floor(at timestamptz) returns uuid
language sql immutable strict as $$
    select (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || '70008000000000000000')::uuid
$$;

-- Months from the one before this to `ahead` months on. Safe to repeat.
create function ensure_run_partitions(ahead integer) returns integer
language plpgsql as $$
declare
    parent  text;
    month   timestamptz;
    part    text;
    created integer := 0;
begin
    perform pg_advisory_xact_lock(hashtextextended('ensure_run_partitions', 0));
    foreach parent in array array['runs', 'run_payloads', 'run_events'] loop
        for month in
            select generate_series(
                date_trunc('month', now() at time zone 'UTC') - interval '1 month',
                date_trunc('month', now() at time zone 'UTC') + make_interval(months => ahead),
                interval '1 month') at time zone 'UTC'
        loop
            part := parent || to_char(month at time zone 'UTC', '_YYYY_MM');
            if to_regclass(part) is null then
                execute format(
                    'create table %I partition of %I for values from (%L) to (%L)',
                    part, parent, id_floor(month),
                    id_floor((month at time zone 'UTC' + interval '1 month') at time zone 'UTC'));
                if parent = 'runs' then
                    execute format('alter table %I set (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05)', part);
                end if;
                created := created + 1;
            end if;
        end loop;
    end loop;
    return created;
end
$$;

create table runs_default partition of runs default;
create table run_payloads_default partition of run_payloads default;
create table run_events_default partition of run_events default;
select ensure_run_partitions(2);
