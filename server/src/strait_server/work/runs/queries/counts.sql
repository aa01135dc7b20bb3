-- How many runs stand where, from the small tables only.

-- name: stats
-- One count per status. Entries of runs that were canceled while they were queued
-- stay in `queue` until a claim meets them: they do not count. Without a project:
-- of all.
with gone as materialized (
    select run_id
    from unsuccessful_runs
    where (:project_id::text is null or project_id = :project_id)
      and status = 'canceled'
), waiting as (
    select
        (
            select count(*)
            from queue
            where (:project_id is null or project_id = :project_id)
              and not exists (select from gone where gone.run_id = queue.run_id)
        ) + (
            select count(*)
            from scheduled
            where (:project_id is null or project_id = :project_id)
              and reason in ('retry', 'snooze')
        ) + (
            select count(*)
            from blocked
            where (:project_id is null or project_id = :project_id)
        ) as queued,
        (
            select count(*)
            from scheduled
            where (:project_id is null or project_id = :project_id)
              and reason in ('delay', 'window')
        ) as delayed
), active as (
    select count(*) filter (where runs.status = 'executing') as executing,
        count(*) filter (where runs.status = 'dequeued') as dequeued
    from leases
    cross join lateral unnest(leases.run_ids) as held (run_id)
    join runs on runs.id = held.run_id
    where (:project_id is null or runs.project_id = :project_id)
      and runs.lease_id = leases.id
)
select waiting.queued, active.executing, waiting.delayed, active.dequeued
from waiting
cross join active;
