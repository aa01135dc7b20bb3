-- What is exact about admission: keys, quotas and rates, decided under locks.
--
-- Order of locks: idempotency keys (sorted), quota rows (sorted), rate scopes
-- (advisory, sorted), then the queue's gates.

-- name: reserve
-- Take idempotency keys for runs about to be made. A key that another
-- transaction is taking right now is waited for. Returned are those we got.
insert into idempotency_keys (job_id, key, run_id)
select w.job_id, w.key, w.run_id
from unnest(:job_ids::uuid[], :keys::text[], :run_ids::uuid[]) as w (job_id, key, run_id)
order by w.job_id, w.key
on conflict do nothing
returning run_id;

-- name: lock_keys
-- Hold keys that somebody has. Whoever had to wait for them must not look at the
-- runs in the same statement: its snapshot is older than the wait, so the run of
-- a key that has just been taken over would seem to be gone.
select key
from idempotency_keys
where (job_id, key) in (
    select w.job_id, w.key
    from unnest(:job_ids::uuid[], :keys::text[]) as w (job_id, key))
order by job_id, key
for update;

-- name: holders
-- Who holds keys. A key is free again a day after its run ended, and at once
-- when the run expired; a dead letter keeps it (behaviour 2.6).
select idempotency_keys.job_id, idempotency_keys.key, idempotency_keys.run_id, runs.status,
    coalesce(
        runs.id is null
            or runs.status = 'expired'
            or (runs.finished_at < now() - interval '24 hours' and runs.status <> 'dead_letter'),
        false) as stale
from idempotency_keys
left join runs on runs.id = idempotency_keys.run_id
where (idempotency_keys.job_id, idempotency_keys.key) in (
    select w.job_id, w.key
    from unnest(:job_ids::uuid[], :keys::text[]) as w (job_id, key));

-- name: take_over
-- Pass stale keys on to new runs. The caller holds the keys.
update idempotency_keys
set run_id = w.run_id,
    created_at = now()
from unnest(:job_ids::uuid[], :keys::text[], :old_run_ids::uuid[], :run_ids::uuid[])
    as w (job_id, key, old_run_id, run_id)
where idempotency_keys.job_id = w.job_id
  and idempotency_keys.key = w.key
  and idempotency_keys.run_id = w.old_run_id;

-- name: let_go
-- Free the keys of runs that were refused after all.
delete from idempotency_keys
where (job_id, key, run_id) in (
    select w.job_id, w.key, w.run_id
    from unnest(:job_ids::uuid[], :keys::text[], :run_ids::uuid[]) as w (job_id, key, run_id));

-- name: release_key
-- Free the key of one run that is not active (behaviour 2.6).
delete from idempotency_keys
using runs
where idempotency_keys.job_id = runs.job_id
  and idempotency_keys.key = runs.idempotency_key
  and idempotency_keys.run_id = runs.id
  and runs.id = :run_id
  and runs.project_id = :project_id
  and runs.status not in ('dequeued', 'executing', 'waiting');

-- name: forget_keys
-- Drop keys that nothing can hit any more. Keys that a trigger holds are passed over:
-- it locks several in their order, and we in that of age.
delete from idempotency_keys
where (job_id, key) in (
    select idempotency_keys.job_id, idempotency_keys.key
    from idempotency_keys
    left join runs on runs.id = idempotency_keys.run_id
    where idempotency_keys.created_at < now() - interval '48 hours'
      and (runs.id is null
           or (runs.finished_at < now() - interval '48 hours' and runs.status <> 'dead_letter'))
    order by idempotency_keys.created_at
    limit 1000
    for update of idempotency_keys skip locked);

-- name: lock_quotas
-- Hold the quotas of projects, so that what is counted next stays true until commit.
select project_id
from project_quotas
where project_id = any(:project_ids::text[])
order by project_id
for update;

-- name: room
-- What projects may have and what they have, counted where there is a limit. Runs
-- canceled while queued leave their entry behind until a claim meets it: they do
-- not count.
select project_quotas.project_id, project_quotas.max_queued_runs as max_queued,
    project_quotas.max_executing_runs as max_executing,
    case when project_quotas.max_queued_runs = 0 then 0 else (
        select count(*)
        from (
            select run_id from queue where queue.metered and queue.project_id = project_quotas.project_id
            union all
            select run_id from scheduled where scheduled.project_id = project_quotas.project_id
            union all
            select run_id from blocked where blocked.project_id = project_quotas.project_id
        ) as waiting
        join runs on runs.id = waiting.run_id and runs.status in ('delayed', 'queued')
    ) end::integer as queued,
    case when project_quotas.max_executing_runs = 0 then 0 else (
        select count(*)
        from leases
        cross join lateral unnest(leases.run_ids) as held (run_id)
        join runs on runs.id = held.run_id and runs.status in ('dequeued', 'executing')
        where runs.project_id = project_quotas.project_id
    ) end::integer as executing
from project_quotas
where project_quotas.project_id = any(:project_ids::text[]);

-- name: lock_scopes
select pg_advisory_xact_lock(ordered.key)
from (
    select distinct hashtextextended('rate:' || scope, 0) as key
    from unnest(:scopes::text[]) as s (scope)
    order by key
) as ordered;

-- name: admitted
-- How many runs each scope admitted within its window, and how many seconds
-- until the oldest of them leave it. A window is counted in slices, and a slice
-- that has begun to leave still counts whole.
select s.scope, coalesce(sum(rate_limit_buckets.admitted), 0)::integer as count,
    coalesce(extract(epoch from min(rate_limit_buckets.leaves_at) - now()), 0)::float8 as frees_in
from unnest(:scopes::text[]) as s (scope)
left join rate_limit_buckets
    on rate_limit_buckets.scope = s.scope
    and rate_limit_buckets.leaves_at > now()
group by s.scope;

-- name: admit
-- Count admissions in the slice of this moment.
insert into rate_limit_buckets (scope, leaves_at, admitted)
select s.scope,
    to_timestamp((floor(extract(epoch from now())::float8 / s.slice) + 1) * s.slice + s.length),
    s.count
from unnest(:scopes::text[], :window_seconds::float8[], :slice_seconds::float8[], :counts::integer[])
    as s (scope, length, slice, count)
on conflict (scope, leaves_at) do update
set admitted = rate_limit_buckets.admitted + excluded.admitted;

-- name: forget_buckets
-- Drop slices that have left their windows.
delete from rate_limit_buckets
where (scope, leaves_at) in (
    select scope, leaves_at
    from rate_limit_buckets
    where leaves_at <= now()
    order by leaves_at
    limit 5000);

-- name: insert_batch
insert into batch_operations (
    id, project_id, job_id, item_count, created_count, created_by, created_at, finished_at)
values (:id, :project_id, :job_id, :item_count, :created_count, :created_by, now(), now());

-- name: find_batch
select id, project_id, job_id, item_count, created_count, created_at, created_by, finished_at
from batch_operations
where id = :id
  and project_id = :project_id;

-- name: list_batches
select id, project_id, job_id, item_count, created_count, created_at, created_by, finished_at
from batch_operations
where project_id = :project_id
  and (created_at, id) < (:before_at, :before_id)
order by created_at desc, id desc
limit :limit;

-- name: now
select now();
