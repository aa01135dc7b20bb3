-- Concurrency: places at gates. `blocked` holds who waits, `slots` who is in.
-- Gates are `job:<job id>`, `key:<length of the project id>:<project id>:<key>` and,
-- while a job is paused or disabled, `pause:<job id>`, which lets nobody in.

-- name: lock_gates
-- One transaction at a time decides who passes a gate. Whoever leaves a gate may
-- come to the next one, so those of the runs at its head are locked with it; all
-- at once and sorted, so that two transactions cannot wait for each other.
select pg_advisory_xact_lock(ordered.key)
from (
    select distinct hashtextextended(named.gate, 0) as key
    from (
        select g.gate
        from unnest(:gates::text[]) as g (gate)
        union
        select head.next_gate
        from unnest(:gates::text[]) as g (gate)
        cross join lateral (
            select blocked.next_gate
            from blocked
            where blocked.gate = g.gate
            order by blocked.rank
            limit 250
        ) as head
        where head.next_gate is not null
    ) as named
    order by key
) as ordered;

-- name: gates_of
-- The gates whose places these runs hold, to be locked before they are given back.
select distinct gate
from slots
where run_id = any(:ids::uuid[]);

-- name: release
-- Give back the places that runs hold. Returned are the gates that have room now.
with released as (
    delete from slots
    where run_id = any(:ids::uuid[])
    returning gate
)
select distinct gate
from released;

-- name: left_behind
-- Runs that hold places though they are final or gone: who ended them was killed
-- before he could give their places back.
select distinct slots.run_id
from slots
left join runs on runs.id = slots.run_id
where runs.id is null
   or runs.finished_at is not null
limit 1000;

-- name: promote
-- Let in as many as have room, in order, at each gate; the caller holds the
-- gates' locks. The limit is read from the job as it is now. A run with a second
-- gate goes there and is returned with it; the others enter the queue.
with counted as materialized (
    select g.gate, (select count(*) from slots where slots.gate = g.gate) as held
    from unnest(:gates::text[]) as g (gate)
    where g.gate not like 'pause:%'
), waiting as (
    select head.run_id, counted.gate, head.next_gate, counted.held, head.place, job.places
    from counted
    cross join lateral (
        select b.run_id, b.next_gate, b.job_id, row_number() over (order by b.rank) as place
        from (
            select blocked.run_id, blocked.next_gate, blocked.job_id, blocked.rank
            from blocked
            where blocked.gate = counted.gate
            order by blocked.rank
            limit 250
        ) as b
    ) as head
    cross join lateral (
        select case when counted.gate like 'job:%' then max_concurrency else max_concurrency_per_key end as places
        from jobs
        where jobs.id = head.job_id
          and jobs.enabled
          and not jobs.paused
        limit 1
    ) as job
), admitted as materialized (
    select run_id, gate, next_gate
    from waiting
    where places = 0
       or held + place <= places
), left_gate as (
    delete from blocked
    using admitted
    where blocked.run_id = admitted.run_id
      and blocked.gate = admitted.gate
      and admitted.next_gate is null
    returning blocked.run_id, blocked.gate, blocked.priority, blocked.rank, blocked.job_id,
        blocked.project_id, blocked.expires_at, blocked.metered
), next_gate as (
    update blocked
    set gate = admitted.next_gate,
        next_gate = null
    from admitted
    where blocked.run_id = admitted.run_id
      and blocked.gate = admitted.gate
      and admitted.next_gate is not null
    returning blocked.run_id, admitted.gate as passed, blocked.gate, blocked.project_id
), placed as (
    insert into slots (run_id, gate, project_id)
    select run_id, gate, project_id from left_gate
    union all
    select run_id, passed, project_id from next_gate
), ready as (
    insert into queue (ord, priority, run_id, job_id, project_id, expires_at, metered)
    select (extract(epoch from clock_timestamp()) * 1000000)::bigint, priority, run_id, job_id, project_id,
        expires_at, metered
    from left_gate
    order by rank
), told as (
    select pg_notify('strait_queue', '')
    from left_gate
    limit 1
)
select distinct gate
from next_gate
where (select count(*) from told) >= 0;

-- name: waiting_gates
-- The next thousand gates at which somebody waits, found by hopping along the index.
with recursive hop as (
    (select gate from blocked where gate > :after order by gate limit 1)
    union all
    select (select blocked.gate from blocked where blocked.gate > hop.gate order by blocked.gate limit 1)
    from hop
    where hop.gate is not null
)
select gate
from hop
where gate is not null
  and gate not like 'pause:%'
limit 1000;

-- name: resumed_jobs
-- Jobs that run again and whose runs still stand at the gate of their pause: sent
-- back there by a worker that had claimed them just before.
select jobs.id
from jobs
where jobs.enabled
  and not jobs.paused
  and exists (select from blocked where blocked.gate = 'pause:' || jobs.id)
  and jobs.id in (
      select distinct blocked.job_id from blocked where blocked.gate like 'pause:%')
limit 100;

-- name: gates_of_job
-- Every gate at which runs of a job wait or hold places, and the job's own.
select 'job:' || :job_id::uuid as gate
union
select gate from blocked where job_id = :job_id
union
select slots.gate
from slots
join runs on runs.id = slots.run_id
where runs.job_id = :job_id;

-- name: regate
-- The job's limits or its pause changed: put its waiting runs at the gates that
-- hold now, and take those out of the queue that may no longer be in it. Their
-- places are given back by this statement, those of active runs are taken or
-- kept. The caller holds the locks of the job's gates, and opens the returned ones.
with job as materialized (
    select id, project_id,
        case when paused or not enabled then 'pause:' || id end as pause_gate,
        case when max_concurrency > 0 then 'job:' || id end as job_gate,
        max_concurrency_per_key > 0 as keyed
    from jobs
    where id = :job_id
), unqueued as materialized (
    delete from queue
    using job
    where queue.job_id = job.id
    returning queue.run_id, queue.ord - queue.priority * :priority_worth::bigint as rank, queue.ord,
        queue.priority, queue.expires_at, queue.metered
), unblocked as materialized (
    delete from blocked
    using job
    where blocked.job_id = job.id
    returning blocked.run_id, blocked.rank, blocked.rank + blocked.priority * :priority_worth::bigint as ord,
        blocked.priority, blocked.expires_at, blocked.metered
), placed as materialized (
    select w.run_id, w.rank, w.ord, w.priority, w.expires_at, w.metered, job.id as job_id, job.project_id,
        coalesce(
            job.pause_gate,
            case when job.keyed then key_gate(job.project_id, runs.concurrency_key) end,
            job.job_gate) as gate,
        case when job.pause_gate is null and job.keyed and runs.concurrency_key is not null
            then job.job_gate end as next_gate
    from job
    cross join (select * from unqueued union all select * from unblocked) as w
    join runs on runs.id = w.run_id and runs.status = 'queued'
), rescheduled as (
    update scheduled
    set gate = coalesce(
            case when job.keyed then key_gate(job.project_id, runs.concurrency_key) end, job.job_gate),
        next_gate = case when job.keyed and runs.concurrency_key is not null then job.job_gate end
    from job, runs
    where scheduled.job_id = job.id
      and runs.id = scheduled.run_id
    returning scheduled.run_id, scheduled.gate
), active as materialized (
    -- Locked, so that none is given a place at the moment it ends: nobody would give it back.
    select runs.id, runs.project_id, job.job_gate,
        case when job.keyed then key_gate(job.project_id, runs.concurrency_key) end as key_gate
    from leases
    cross join lateral unnest(leases.run_ids) as held (run_id)
    join runs on runs.id = held.run_id and runs.status in ('dequeued', 'executing')
    join job on job.id = runs.job_id
    order by runs.id
    for no key update of runs
), marked as (
    update runs
    set gated = true
    where runs.id in (
            select run_id from placed where gate is not null
            union all select run_id from rescheduled where gate is not null
            union all select id from active where job_gate is not null or key_gate is not null)
      and not runs.gated
), left_places as (
    delete from slots
    using placed
    where slots.run_id = placed.run_id
    returning slots.gate
), taken as (
    insert into slots (run_id, gate, project_id)
    select id, job_gate, project_id from active where job_gate is not null
    union all
    select id, key_gate, project_id from active where key_gate is not null
    on conflict do nothing
), held as (
    insert into blocked (run_id, gate, next_gate, rank, priority, job_id, project_id, expires_at, metered)
    select run_id, gate, next_gate, rank, priority, job_id, project_id, expires_at, metered
    from placed
    where gate is not null
), ready as (
    insert into queue (ord, priority, run_id, job_id, project_id, expires_at, metered)
    select (extract(epoch from clock_timestamp()) * 1000000)::bigint, priority, run_id, job_id, project_id,
        expires_at, metered
    from placed
    where gate is null
    order by rank
), told as (
    select pg_notify('strait_queue', '')
)
select gate from placed where gate is not null and (select count(*) from told) > 0
union
select gate from left_places;
