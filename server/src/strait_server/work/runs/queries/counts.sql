-- How many runs stand where, from the small tables only.

-- name: stats
-- One count per status. Entries of runs that were canceled while they were queued
-- stay in `queue` until a claim meets them: they do not count. Leased runs are read
-- one by one (hence the limit): no index knows the lease, and a join by it reads every
-- run of the project. Without a project: of all.
with waiting as (
    select
        (
            select count(*)
            from queue
            where (:project_id::text is null or project_id = :project_id)
              and not exists (
                  select
                  from unsuccessful_runs
                  where unsuccessful_runs.run_id = queue.run_id
                    and unsuccessful_runs.status = 'canceled')
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
    select count(*) filter (where leased.status = 'executing') as executing,
        count(*) filter (where leased.status = 'dequeued') as dequeued
    from leases
    cross join lateral unnest(leases.run_ids) as held (run_id)
    cross join lateral (
        select runs.status
        from runs
        where runs.id = held.run_id
          and runs.lease_id = leases.id
          and (:project_id is null or runs.project_id = :project_id)
        limit 1
    ) as leased
)
select waiting.queued, active.executing, waiting.delayed, active.dequeued
from waiting
cross join active;
