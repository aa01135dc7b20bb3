-- Canceling, and bringing back.

-- name: hold_entries
-- Lock where runs wait before the runs themselves, as whoever moves them on does:
-- in the other order two of us could wait for each other.
select run_id
from (
    select run_id from scheduled where run_id = any(:ids::uuid[]) order by run_id for update
) as later
union all
select run_id
from (
    select run_id from blocked where run_id = any(:ids::uuid[]) order by run_id for update
) as held;

-- name: cancel
-- Cancel what has not finished. Entries in `queue` are left to the claim. The
-- worker of an executing run learns of it when its outcome is refused.
with moved as (
    update runs
    set status = 'canceled',
        finished_at = now(),
        updated_at = now(),
        heartbeat_at = null,
        lease_id = null,
        error = c.reason,
        moves = runs.moves || run_move((extract(epoch from now()) * 1000000)::bigint, 'canceled')
    from unnest(:ids::uuid[], :reasons::text[]) as c (id, reason)
    where runs.id = c.id
      and runs.project_id = :project_id
      and runs.status in ('delayed', 'queued', 'dequeued', 'executing', 'waiting', 'paused', 'replay_staged')
    returning runs.id, runs.project_id, runs.job_id
), unsuccessful as (
    insert into unsuccessful_runs (run_id, project_id, job_id, status)
    select id, project_id, job_id, 'canceled'
    from moved
), unscheduled as (
    delete from scheduled using moved where scheduled.run_id = moved.id
), unblocked as (
    delete from blocked using moved where blocked.run_id = moved.id
)
select id
from moved;

-- name: children
-- Unfinished children of these runs.
select id
from runs
where parent_run_id = any(:ids::uuid[])
  and project_id = :project_id
  and status in ('delayed', 'queued', 'dequeued', 'executing', 'waiting', 'paused', 'replay_staged')
limit 1000;

-- name: pending
-- Waiting runs that match, for canceling by filter: only those never started.
select r.id
from runs as r
where r.project_id = :project_id
  and r.status = any(:statuses::text[])
  and r.started_at is null
  and (:job_id::uuid is null or r.job_id = :job_id)
  and (:batch_id::uuid is null or r.batch_id = :batch_id)
  and (:triggered_by::text is null or r.triggered_by = :triggered_by)
  and r.id in (
      select run_id from queue where project_id = :project_id
      union all
      select run_id from scheduled where project_id = :project_id
      union all
      select run_id from blocked where project_id = :project_id)
order by r.id
limit :limit;

-- name: unfinished
-- What a project has waiting or under way, wherever it stands.
select runs.id
from runs
where runs.project_id = :project_id
  and runs.status in ('delayed', 'queued', 'dequeued', 'executing', 'waiting')
  and runs.id in (
      select run_id from queue where project_id = :project_id
      union all
      select run_id from scheduled where project_id = :project_id
      union all
      select run_id from blocked where project_id = :project_id
      union all
      select held.run_id from leases cross join lateral unnest(leases.run_ids) as held (run_id))
limit 1000;

-- name: revive
-- Put dead letters back in place as first attempts (behaviour 1.4 #23, T19).
-- Reserved metadata keys go, so that poison and snooze counters start anew (T13).
with clock as materialized (
    select now() as at, (extract(epoch from clock_timestamp()) * 1000000)::bigint as micros
), moved as (
    update runs
    set status = 'queued',
        attempt = 1,
        queued_at = clock.at,
        updated_at = clock.at,
        error = null,
        error_class = null,
        result = null,
        trace = null,
        started_at = null,
        finished_at = null,
        heartbeat_at = null,
        next_retry_at = null,
        scheduled_at = null,
        gated = d.gate is not null,
        expires_at = clock.at + make_interval(secs => d.ttl_seconds),
        metadata = nullif(runs.metadata - '{_error_hash,_error_hash_count,snooze_count}'::text[], '{}'),
        moves = runs.moves || (clock.micros * 16 + 1)
    from clock, unnest(
        :ids::uuid[], :ttl_seconds::float8[], :gates::text[], :next_gates::text[], :metered::boolean[]
    ) with ordinality as d (id, ttl_seconds, gate, next_gate, metered, n)
    where runs.id = d.id
      and runs.project_id = :project_id
      and runs.status = 'dead_letter'
    returning runs.id, runs.job_id, runs.project_id, runs.priority, runs.expires_at, clock.micros + d.n as ord,
        d.gate, d.next_gate, d.metered
), forgotten as (
    delete from unsuccessful_runs using moved where unsuccessful_runs.run_id = moved.id
), ready as (
    insert into queue (ord, priority, run_id, job_id, project_id, expires_at, metered)
    select ord, priority, id, job_id, project_id, expires_at, metered
    from moved
    where gate is null
), held as (
    insert into blocked (run_id, gate, next_gate, rank, priority, job_id, project_id, expires_at, metered)
    select id, gate, next_gate, ord - priority * :priority_worth::bigint, priority, job_id, project_id,
        expires_at, metered
    from moved
    where gate is not null
)
select moved.id, pg_notify('strait_queue', '')::text as told
from moved;
