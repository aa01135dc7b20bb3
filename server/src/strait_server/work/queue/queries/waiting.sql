-- What happens to waiting runs as time passes.

-- name: move_due
-- Bring runs whose time has come to the queue, or to their gate. Runs that
-- expired while they waited are left to `expire`. Returned: how many, and the
-- gates to be opened.
with due as materialized (
    delete from scheduled
    where run_id in (
        select run_id
        from scheduled
        where due_at <= now()
          and (expires_at is null or expires_at > now())
        order by due_at
        limit 1000
        for update skip locked)
    returning run_id, priority, job_id, project_id, expires_at, metered, gate, next_gate, due_at
), clock as materialized (
    select now() as at, (extract(epoch from clock_timestamp()) * 1000000)::bigint as micros
), moved as (
    update runs
    set status = 'queued',
        queued_at = clock.at,
        updated_at = clock.at,
        moves = runs.moves || (clock.micros * 16 + 1)
    from due, clock
    where runs.id = due.run_id
      and runs.status = 'delayed'
), ready as (
    insert into queue (ord, priority, run_id, job_id, project_id, expires_at, metered)
    select clock.micros + row_number() over (order by due.due_at), priority, run_id, job_id, project_id,
        expires_at, metered
    from due, clock
    where gate is null
), held as (
    insert into blocked (run_id, gate, next_gate, rank, priority, job_id, project_id, expires_at, metered)
    select run_id, gate, next_gate, clock.micros - priority * :priority_worth::bigint, priority, job_id,
        project_id, expires_at, metered
    from due, clock
    where gate is not null
), told as (
    select pg_notify('strait_queue', '')
    from due
    where gate is null
    limit 1
)
select count(*)::integer as moved,
    array_remove(array_agg(distinct gate), null) as gates,
    (select count(*) from told)::integer as told
from due;

-- name: next_due
-- Seconds until the next scheduled run is due; null when there is none.
select extract(epoch from min(due_at) - now())::float8
from scheduled;

-- name: expire
-- End runs that waited too long. `queue` is narrow: reading it all twice a
-- minute is cheaper than an index that every run pays for. An entry that somebody
-- holds is being moved, and looked at again in half a minute.
with late as materialized (
    select run_id
    from (select run_id from queue where expires_at <= now() limit 1000 for update skip locked) as ready
    union all
    select run_id
    from (select run_id from scheduled where expires_at <= now() limit 1000 for update skip locked) as later
    union all
    select run_id
    from (select run_id from blocked where expires_at <= now() limit 1000 for update skip locked) as held
), moved as (
    update runs
    set status = 'expired',
        finished_at = now(),
        updated_at = now(),
        error = 'run expired',
        moves = runs.moves || run_move((extract(epoch from now()) * 1000000)::bigint, 'expired')
    from late
    where runs.id = late.run_id
      and runs.status in ('delayed', 'queued')
    returning runs.id, runs.project_id, runs.job_id, runs.gated
), unsuccessful as (
    insert into unsuccessful_runs (run_id, project_id, job_id, status)
    select id, project_id, job_id, 'expired'
    from moved
), unqueued as (
    delete from queue using late where queue.run_id = late.run_id and queue.expires_at <= now()
), unscheduled as (
    delete from scheduled using late where scheduled.run_id = late.run_id
), unblocked as (
    delete from blocked using late where blocked.run_id = late.run_id
)
select id
from moved;
