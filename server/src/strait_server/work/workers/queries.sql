-- Who works, who is gone, and what they left behind.
--
-- A worker holds the session advisory lock `lock_id`: when its connection ends,
-- the lock is free, and everybody can see that it is gone. A worker that hangs
-- keeps the lock but stops extending `alive_until`.

-- name: register
insert into workers (id, lock_id, host, pid, concurrency, alive_until)
values (:id, :lock_id, :host, :pid, :concurrency, now() + make_interval(secs => :lease_seconds::float8));

-- name: lock
select pg_try_advisory_lock(:lock_id::bigint);

-- name: heartbeat
-- Zero rows: somebody has declared the worker dead and taken its runs.
update workers
set alive_until = now() + make_interval(secs => :lease_seconds::float8)
where id = :id;

-- name: deregister
delete from workers
where id = :id
  and not exists (select from leases where leases.worker_id = workers.id);

-- name: absent
-- Workers whose lock nobody holds, or that stopped extending their lease. The
-- locks taken to find out are shared, so that two who look do not hide a worker
-- from each other, and are given back with the statement's transaction.
select id, alive_until
from workers
where pg_try_advisory_xact_lock_shared(lock_id)
   or alive_until < now()
limit 100;

-- name: take
-- Be the one who rescues what an absent worker held. No row: it has returned, or
-- somebody else is at it.
select id
from workers
where id = :worker_id
  and (pg_try_advisory_xact_lock_shared(lock_id) or alive_until < now())
for update skip locked;

-- name: uptime
-- The seconds since PostgreSQL started, or started over because one of its processes
-- died. Who may not see its processes sees the first start only.
select extract(epoch from now() - greatest(pg_postmaster_start_time(), max(backend_start)))::float8
from pg_stat_activity
where backend_type = 'checkpointer';

-- name: lost
-- The unfinished runs of a worker.
select runs.id, runs.job_id, runs.attempt, runs.lease_id, runs.status, runs.gated, runs.concurrency_key
from leases
cross join lateral unnest(leases.run_ids) as held (run_id)
join runs on runs.id = held.run_id and runs.lease_id = leases.id and runs.status in ('dequeued', 'executing')
where leases.worker_id = :worker_id
limit 1000;

-- name: strays
-- Runs under leases that the worker does not know of: the claim was committed, and
-- its answer was lost. Whole leases, four at most, because a lease ends with the
-- last of its runs.
select runs.id, runs.job_id, runs.attempt, leases.id as lease_id, runs.status, runs.gated, runs.concurrency_key
from (
    select id, run_ids
    from leases
    where worker_id = :worker_id
      and id <> all(:known::bigint[])
    order by id
    limit 4
) as leases
cross join lateral unnest(leases.run_ids) as held (run_id)
join runs on runs.id = held.run_id;

-- name: orphans
-- Workers that are removed and hold leases: a process that is declared dead while it
-- lives may claim once more before it hears of it.
select distinct worker_id
from leases
where claimed_at < now() - make_interval(secs => :seconds::float8)
  and not exists (select from workers where workers.id = leases.worker_id)
limit 100;

-- name: drop_leases
-- But not one that was claimed after the lost runs were counted: it is an orphan.
delete from leases
where worker_id = :worker_id
  and not exists (
      select
      from runs
      where runs.id = any(leases.run_ids)
        and runs.lease_id = leases.id
        and runs.status in ('dequeued', 'executing'));

-- name: remove
delete from workers
where id = :worker_id;


-- name: claimable
-- How many runs can be claimed now, up to a few more than matter.
select count(*)
from (
    select
    from queue
    where :project_ids::text[] is null
       or project_id = any(:project_ids)
    limit 1001
) as ahead;

-- name: depths
-- What waits and what is under way, from the small tables. Runs canceled while
-- queued count until a claim meets them.
select 'queued' as status, (select count(*) from queue) + (select count(*) from blocked)
    + (select count(*) from scheduled where reason <> 'delay') as runs
union all
select 'delayed', count(*) from scheduled where reason = 'delay'
union all
select 'executing', count(*) from leases cross join lateral unnest(run_ids) as held (run_id)
    join runs on runs.id = held.run_id and runs.status = 'executing';

-- name: queued_by_job
-- What `depths` calls queued, by job; a job without any has no row.
select job_id, count(*) as runs
from (
    select job_id from queue
    union all
    select job_id from blocked
    union all
    select job_id from scheduled where reason <> 'delay'
) as waiting
group by job_id;

-- name: dead_letters_by_job
-- From the side table, whose index by job holds all that is asked for.
select job_id, count(*) as runs
from unsuccessful_runs
where status = 'dead_letter'
group by job_id;
