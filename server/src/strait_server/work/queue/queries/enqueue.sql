-- Bringing runs in.

-- name: enqueue
-- Insert runs, each into the place where it waits. The batch is one statement:
-- a trigger costs its share of it. Gated runs go to their first gate; `promote`
-- lets them in. Scheduled runs expire counting from their time (behaviour 2.9).
with clock as materialized (
    select now() as at, (extract(epoch from clock_timestamp()) * 1000000)::bigint as micros
), new_runs as materialized (
    select n.*,
        clock.micros + n.n as ord,
        n.scheduled_at is not null and n.scheduled_at > clock.at as delayed,
        greatest(clock.at, n.scheduled_at) + make_interval(secs => n.ttl_seconds) as expires_at
    from clock, unnest(
        :ids::uuid[], :project_ids::text[], :job_ids::uuid[], :priorities::smallint[], :payloads::json[],
        :ttl_seconds::float8[], :scheduled_at::timestamptz[], :tags::jsonb[], :metadata::jsonb[],
        :triggered_by::text[], :created_by::text[], :job_versions::integer[], :job_version_ids::text[],
        :concurrency_keys::text[], :idempotency_keys::text[], :batch_ids::uuid[], :replay_of::uuid[],
        :gates::text[], :next_gates::text[], :metered::boolean[]
    ) with ordinality as n (
        id, project_id, job_id, priority, payload, ttl_seconds, scheduled_at, tags, metadata, triggered_by,
        created_by, job_version, job_version_id, concurrency_key, idempotency_key, batch_id, replay_of,
        gate, next_gate, metered, n)
), inserted as (
    insert into runs (
        id, project_id, job_id, status, priority, gated, job_version, job_version_id, queued_at, scheduled_at,
        expires_at, triggered_by, created_by, concurrency_key, idempotency_key, batch_id, replay_of, tags,
        metadata, moves)
    select id, project_id, job_id, case when delayed then 'delayed' else 'queued' end, priority,
        gate is not null, job_version, job_version_id, case when not delayed then clock.at end, scheduled_at,
        expires_at, triggered_by, created_by, concurrency_key, idempotency_key, batch_id, replay_of, tags,
        metadata, array[clock.micros * 16 + case when delayed then 0 else 1 end]
    from new_runs, clock
), payloads as (
    insert into run_payloads (run_id, project_id, payload)
    select id, project_id, payload
    from new_runs
), ready as (
    insert into queue (ord, priority, run_id, job_id, project_id, expires_at, metered)
    select ord, priority, id, job_id, project_id, expires_at, metered
    from new_runs
    where not delayed
      and gate is null
), held as (
    insert into blocked (run_id, gate, next_gate, rank, priority, job_id, project_id, expires_at, metered)
    select id, gate, next_gate, ord - priority * :priority_worth::bigint, priority, job_id, project_id,
        expires_at, metered
    from new_runs
    where not delayed
      and gate is not null
), later as (
    insert into scheduled (
        run_id, due_at, reason, priority, job_id, project_id, expires_at, metered, gate, next_gate)
    select id, scheduled_at, 'delay', priority, job_id, project_id, expires_at, metered, gate, next_gate
    from new_runs
    where delayed
)
select clock.at,
    (select pg_notify('strait_queue', '')
     from new_runs
     where not delayed and gate is null
     limit 1)::text as told,
    (select pg_notify('strait_scheduled', '')
     from new_runs
     where delayed and scheduled_at < clock.at + interval '10 seconds'
     limit 1)::text as planned
from clock;

-- name: made_at
-- When a run was made; no row: it was not.
select created_at
from runs
where id = :id;
