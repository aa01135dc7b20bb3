-- Moving a waiting run to another time.

-- name: take_out
-- Take a run out of the place where it waits, whichever that is. Nothing: it is in
-- none, or somebody is moving it right now.
with wanted as materialized (
    select id
    from runs
    where id = :id
      and project_id = :project_id
), unqueued as (
    delete from queue using wanted where queue.run_id = wanted.id returning queue.metered
), unscheduled as (
    delete from scheduled using wanted where scheduled.run_id = wanted.id returning scheduled.metered
), unblocked as (
    delete from blocked using wanted where blocked.run_id = wanted.id returning blocked.metered
)
select metered from unqueued
union all
select metered from unscheduled
union all
select metered from unblocked;

-- name: put_in
-- Put a run that was taken out where it belongs for its new time: now, or later.
-- It lives as long after that as it would have after the old one.
with clock as materialized (
    select now() as at, (extract(epoch from clock_timestamp()) * 1000000)::bigint as micros
), moved as (
    update runs
    set status = case when :at::timestamptz > clock.at then 'delayed' else 'queued' end,
        scheduled_at = :at,
        queued_at = case when :at <= clock.at then clock.at end,
        next_retry_at = null,
        updated_at = clock.at,
        gated = :gate::text is not null,
        expires_at = greatest(clock.at, :at)
            + (runs.expires_at - coalesce(runs.queued_at, greatest(runs.created_at, runs.scheduled_at))),
        moves = case
            when :at > clock.at and runs.status = 'queued' then runs.moves || (clock.micros * 16)
            when :at <= clock.at and runs.status = 'delayed' then runs.moves || (clock.micros * 16 + 1)
            else runs.moves
        end
    from clock
    where runs.id = :id
      and runs.status in ('delayed', 'queued')
      and runs.started_at is null
    returning runs.id, runs.status, runs.priority, runs.job_id, runs.project_id, runs.expires_at, clock.micros
), rewritten as (
    update run_payloads
    set payload = :payload
    from moved
    where run_payloads.run_id = moved.id
      and :payload::json is not null
), later as (
    insert into scheduled (
        run_id, due_at, reason, priority, job_id, project_id, expires_at, metered, gate, next_gate)
    select id, :at, 'delay', priority, job_id, project_id, expires_at, :metered::boolean, :gate, :next_gate::text
    from moved
    where status = 'delayed'
), held as (
    insert into blocked (run_id, gate, next_gate, rank, priority, job_id, project_id, expires_at, metered)
    select id, :gate, :next_gate, micros - priority * :priority_worth::bigint, priority, job_id, project_id,
        expires_at, :metered
    from moved
    where status = 'queued'
      and :gate is not null
), ready as (
    insert into queue (ord, priority, run_id, job_id, project_id, expires_at, metered)
    select micros, priority, id, job_id, project_id, expires_at, :metered
    from moved
    where status = 'queued'
      and :gate is null
)
select moved.id,
    pg_notify(case when moved.status = 'queued' then 'strait_queue' else 'strait_scheduled' end, '')::text as told
from moved;
