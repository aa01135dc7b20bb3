-- Handing runs to workers.

-- name: claim
-- literal: batch = 1 5 10 25 50 100 250
-- Take up to :batch runs out of the queue and lease them to a worker.
--
-- Candidates come from each priority's lane in its order, from a floor on: below
-- the floor nothing is left but dead index entries, which a held xmin horizon
-- keeps alive and a scan from the start would read again at every claim. Then
-- the lanes are merged: an hour of waiting is worth a point of priority, which
-- is the same as ordering by `ord - priority * hour` (behaviour 2.3).
-- The scan that orders the candidates is the one that locks them (T130), and the
-- update tests the status again. Runs past their expiry are moved to `expired`
-- instead and never dispatched (T8).
with clock as materialized (
    select now() as at, (extract(epoch from now()) * 1000000)::bigint as micros
), locked as materialized (
    select lane.place, lane.ord, lane.priority
    from unnest(:priorities::smallint[], :floors::bigint[]) as lanes (priority, floor)
    cross join lateral (
        select queue.ctid as place, queue.ord, queue.priority
        from queue
        where queue.priority = lanes.priority
          and queue.ord >= lanes.floor
          and (:project_id::text is null or queue.project_id = :project_id)
        order by queue.ord
        limit :batch
        for update skip locked
    ) as lane
-- use: lease_the_first

-- name: claim_fairly
-- literal: batch = 1 5 10 25 50 100 250
-- As above, but at most one run per job: a job with a long backlog cannot keep
-- the others waiting. Where the head of a job is locked by
-- another claimer, the next of its runs is taken.
with clock as materialized (
    select now() as at, (extract(epoch from now()) * 1000000)::bigint as micros
), heads as materialized (
    -- One entry for each job that stands among the first two thousand.
    select distinct ahead.job_id
    from unnest(:priorities::smallint[], :floors::bigint[]) as lanes (priority, floor)
    cross join lateral (
        select queue.job_id
        from queue
        where queue.priority = lanes.priority
          and queue.ord >= lanes.floor
          and (:project_id::text is null or queue.project_id = :project_id)
        order by queue.ord
        limit 2000
    ) as ahead
), locked as materialized (
    select entry.place, entry.ord, entry.priority
    from heads
    cross join lateral (
        select queue.ctid as place, queue.ord, queue.priority
        from queue
        where queue.job_id = heads.job_id
          and (:project_id::text is null or queue.project_id = :project_id)
          and queue.ord >= (:floors::bigint[])[queue.priority + 1]
        order by queue.priority desc, queue.ord
        limit 1
        for update skip locked
    ) as entry
-- use: lease_the_first

-- part: lease_the_first
), candidates as materialized (
    select place
    from locked
    order by ord - priority * :priority_worth::bigint, ord
    limit :batch
), taken as materialized (
    delete from queue
    using candidates
    where queue.ctid = candidates.place
    returning queue.run_id, queue.ord, queue.priority, queue.expires_at <= now() as expired
), lease as materialized (
    select nextval('leases_id_seq') as id
    where exists (select from taken)
), moved as (
    update runs
    set status = case when taken.expired then 'expired' else 'dequeued' end,
        lease_id = case when taken.expired then null else lease.id end,
        started_at = case when taken.expired then null else clock.at end,
        finished_at = case when taken.expired then clock.at end,
        error = case when taken.expired then 'run expired' else runs.error end,
        updated_at = clock.at,
        moves = runs.moves || (clock.micros * 16 + case when taken.expired then 11 else 2 end)
    from taken, lease, clock
    where runs.id = taken.run_id
      and runs.status = 'queued'
    returning runs.id, runs.project_id, runs.job_id, runs.attempt, runs.priority, runs.gated,
        runs.concurrency_key, runs.lease_id, runs.queued_at, runs.expires_at, runs.metadata, runs.error,
        runs.started_at, taken.ord
), leased as (
    insert into leases (id, worker_id, run_ids) overriding system value
    select lease.id, :worker_id, array_agg(moved.id)
    from moved, lease
    where moved.lease_id is not null
    group by lease.id
), told as (
    -- There may be more for somebody who found nothing: entries that were locked
    -- here in vain, or that stand behind entries of runs that are gone. Only a CTE
    -- that writes runs even if nobody reads it, so this one writes nothing.
    insert into leases (id, worker_id, run_ids) overriding system value
    select 0, :worker_id, '{}'
    from (
        select pg_notify('strait_queue', '')::text as said
        where (select count(*) from locked) > :batch
           or ((select count(*) from taken) = :batch and (select count(*) from moved) < :batch)
    ) as word
    where word.said <> ''
), lost as (
    insert into unsuccessful_runs (run_id, project_id, job_id, status)
    select id, project_id, job_id, 'expired'
    from moved
    where lease_id is null
)
select moved.id, moved.project_id, moved.job_id, moved.attempt, moved.priority, moved.gated,
    moved.concurrency_key, moved.lease_id, moved.metadata, moved.error, moved.ord, run_payloads.payload,
    (date_part('epoch', clock.at - moved.queued_at) * 1000)::bigint as waited_ms,
    date_part('epoch', moved.expires_at - clock.at) as expires_in,
    coalesce(jobs.revision, 0) as job_revision,
    clock.micros as micros
from moved
cross join clock
join run_payloads on run_payloads.run_id = moved.id
left join jobs on jobs.id = moved.job_id;
