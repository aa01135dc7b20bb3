-- What job code reports of its own run, in batches.
--
-- A run token speaks for the attempt it names, or for the current one. A run may
-- still be `dequeued` here while its endpoint is being called, because starts are
-- written a few milliseconds late: job code may report all the same.
--
-- Workers write the same rows in another order. So a batch takes the rows it can
-- have at once and waits for none: it cannot be part of a deadlock. Rows that were
-- left out come back as not written; they are held first, then written alone.

-- name: hold
-- Wait for a row that somebody else is writing.
select id
from runs
where id = :id
for no key update;

-- name: beat
-- Note that runs are alive. Returned are the runs that are open to reports.
with wanted as materialized (
    select *
    from unnest(:ids::uuid[], :attempts::integer[]) as w (id, attempt)
), held as materialized (
    select runs.id
    from wanted
    join runs on runs.id = wanted.id
    where runs.status in ('dequeued', 'executing', 'waiting')
      and runs.attempt = coalesce(wanted.attempt, runs.attempt)
    for no key update of runs skip locked
), beaten as (
    update runs
    set heartbeat_at = now()
    from held
    where runs.id = held.id
    returning runs.id
)
select id, true as written, false as gated
from beaten
union all
select runs.id, false, false
from wanted
join runs on runs.id = wanted.id
where wanted.id not in (select id from beaten)
  and runs.status in ('dequeued', 'executing', 'waiting')
  and runs.attempt = coalesce(wanted.attempt, runs.attempt);

-- name: conclude
-- End runs as job code asks. The run lets go of its lease, so that the worker's
-- outcome comes too late (T36); the lease itself stays with the worker. A start
-- that was not recorded yet is recorded here. Unless `checked`, a run whose job
-- asks something of results is left alone.
with clock as materialized (
    select now() as at, (extract(epoch from now()) * 1000000)::bigint as micros
), wanted as materialized (
    select *
    from unnest(
        :ids::uuid[], :attempts::integer[], :statuses::text[], :ordinals::smallint[], :results::json[],
        :errors::text[], :error_classes::text[], :checked::boolean[]
    ) as w (id, attempt, status, ordinal, result, error, error_class, checked)
), held as materialized (
    select wanted.*
    from wanted
    join runs on runs.id = wanted.id
    join jobs on jobs.id = runs.job_id
    where runs.status in ('dequeued', 'executing', 'waiting')
      and runs.attempt = coalesce(wanted.attempt, runs.attempt)
      and (wanted.checked or jobs.result_schema is null)
    for no key update of runs skip locked
), moved as (
    update runs
    set status = held.status,
        finished_at = clock.at,
        updated_at = clock.at,
        heartbeat_at = null,
        lease_id = null,
        result = held.result,
        error = held.error,
        error_class = held.error_class,
        trace = null,
        moves = case
            when runs.status = 'dequeued' then
                runs.moves || array[clock.micros * 16 + 3, clock.micros * 16 + held.ordinal]
            else runs.moves || (clock.micros * 16 + held.ordinal)
        end
    from held, clock
    where runs.id = held.id
    returning runs.id, runs.project_id, runs.job_id, runs.status, runs.gated
), unsuccessful as (
    insert into unsuccessful_runs (run_id, project_id, job_id, status)
    select id, project_id, job_id, status
    from moved
    where status <> 'completed'
)
select id, true as written, gated
from moved
union all
select runs.id, false, false
from wanted
join runs on runs.id = wanted.id
join jobs on jobs.id = runs.job_id
where wanted.id not in (select id from moved)
  and runs.status in ('dequeued', 'executing', 'waiting')
  and runs.attempt = coalesce(wanted.attempt, runs.attempt)
  and (wanted.checked or jobs.result_schema is null);

-- name: standing
-- Where a run stands, for telling why a report was refused, and for a retry.
select id, project_id, job_id, status, attempt, gated, lease_id, concurrency_key,
    (extract(epoch from now() - started_at) * 1000000)::bigint as age_micros, result
from runs
where id = :id;
