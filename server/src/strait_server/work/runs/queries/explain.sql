-- Why a run stands where it stands.

-- name: facts
-- What the run, its job and the place where it waits say, at one moment.
select now() as now, runs.id, runs.project_id, runs.job_id, runs.status, runs.attempt, runs.priority,
    runs.queued_at, runs.scheduled_at, runs.started_at, runs.finished_at, runs.heartbeat_at, runs.expires_at,
    runs.error, runs.error_class, runs.concurrency_key,
    jobs.slug as job_slug, coalesce(jobs.enabled, false) as enabled, coalesce(jobs.paused, false) as paused,
    jobs.paused_at, jobs.pause_reason, coalesce(jobs.max_attempts, 1) as max_attempts,
    coalesce(jobs.max_concurrency, 0) as max_concurrency,
    coalesce(jobs.max_concurrency_per_key, 0) as max_concurrency_per_key,
    scheduled.reason as wait_reason, scheduled.due_at,
    blocked.gate, blocked.next_gate, blocked.since as blocked_since, blocked.rank,
    workers.id as worker_id, workers.host as worker_host, workers.pid as worker_pid,
    workers.alive_until >= now() as worker_lives
from runs
left join jobs on jobs.id = runs.job_id
left join scheduled on scheduled.run_id = runs.id
left join blocked on blocked.run_id = runs.id
left join leases on leases.id = runs.lease_id
left join workers on workers.id = leases.worker_id
where runs.id = :id
  and (:project_id::text is null or runs.project_id = :project_id);

-- name: holders
-- Who holds places at gates, the ten longest of each, and how many there are.
select g.gate, places.run_ids, places.since, places.held
from unnest(:gates::text[]) as g (gate)
cross join lateral (
    select (array_agg(slots.run_id order by slots.since))[1:10] as run_ids, min(slots.since) as since,
        count(*)::integer as held
    from slots
    where slots.gate = g.gate
) as places;

-- name: ahead_at_gate
-- How many wait before this one at its gate, up to a thousand.
select count(*)::integer
from (
    select
    from blocked
    where gate = :gate
      and rank < :rank
    limit 1000
) as earlier;

-- name: ahead_in_queue
-- How many will be claimed before this one, up to a thousand per priority. An
-- entry is never older than the moment since which its run is queued.
with entry as materialized (
    select ord - priority * :priority_worth::bigint as rank
    from queue
    where priority = :priority
      and ord >= (extract(epoch from :queued_at::timestamptz) * 1000000)::bigint
      and run_id = :run_id
    order by ord
    limit 1
)
select count(earlier.place)::integer
from entry
cross join generate_series(0, 10) as lanes (priority)
left join lateral (
    select queue.ctid as place
    from queue
    where queue.priority = lanes.priority
      and queue.ord < entry.rank + lanes.priority * :priority_worth
    order by queue.ord
    limit 1000
) as earlier on true
having count(entry.rank) > 0;

-- name: live_workers
select count(*)::integer
from workers
where alive_until >= now();
