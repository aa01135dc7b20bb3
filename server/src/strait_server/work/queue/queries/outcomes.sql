-- What workers report, in batches. Every write is fenced by attempt and lease.

-- name: start
-- Record that endpoints are being called. A run that was moved meanwhile is
-- left alone; its outcome will find out.
with clock as materialized (
    select (extract(epoch from now()) * 1000000)::bigint as micros
)
update runs
set status = 'executing',
    started_at = now() - make_interval(secs => s.age_micros::float8 / 1000000),
    updated_at = now(),
    metadata = case
        when runs.metadata ? 'snooze_count' then runs.metadata - 'snooze_count'
        else runs.metadata
    end,
    moves = runs.moves || ((clock.micros - s.age_micros) * 16 + 3)
from clock, unnest(:ids::uuid[], :attempts::integer[], :lease_ids::bigint[], :ages_micros::bigint[])
    as s (id, attempt, lease_id, age_micros)
where runs.id = s.id
  and runs.status = 'dequeued'
  and runs.attempt = s.attempt
  and runs.lease_id = s.lease_id;

-- name: finish
-- Record final outcomes, and drop the leases that ended with them. A start that
-- was not recorded yet is recorded here: two moves, one write. Returned are the
-- runs whose outcome came too late, because somebody else finished or took them,
-- and those that hold places the worker does not know of: the job's limit is
-- younger than their claim. A column may be empty: then all are as most outcomes
-- are, completed at the first attempt, and what else is not told is null.
with clock as materialized (
    select now() as at, (extract(epoch from now()) * 1000000)::bigint as micros
), outcomes as materialized (
    select o.*, coalesce(tried, 1) as attempt, coalesce(ended, :completed::smallint) as ordinal,
        (:statuses::text[])[coalesce(ended, :completed::smallint) + 1] as status
    from unnest(
        :ids::uuid[], :attempts::integer[], :lease_ids::bigint[], :ordinals::smallint[],
        :ages_micros::bigint[], :results::json[], :errors::text[], :error_classes::text[], :traces::text[],
        :gated::boolean[]
    ) as o (id, tried, lease_id, ended, age_micros, result, error, error_class, trace, gated)
), moved as (
    update runs
    set status = o.status,
        started_at = coalesce(clock.at - make_interval(secs => o.age_micros::float8 / 1000000), runs.started_at),
        finished_at = clock.at,
        updated_at = clock.at,
        heartbeat_at = null,
        lease_id = null,
        result = o.result,
        error = o.error,
        error_class = o.error_class,
        trace = o.trace::integer[],
        moves = case
            when runs.status = 'dequeued' and o.age_micros is not null then
                runs.moves || array[(clock.micros - o.age_micros) * 16 + 3, clock.micros * 16 + o.ordinal]
            else runs.moves || (clock.micros * 16 + o.ordinal)
        end
    from outcomes as o, clock
    where runs.id = o.id
      and runs.attempt = o.attempt
      and runs.lease_id = o.lease_id
      and runs.status in ('dequeued', 'executing')
    returning runs.id, runs.project_id, runs.job_id, runs.status, runs.gated and o.gated is not true as holds
), unsuccessful as (
    insert into unsuccessful_runs (run_id, project_id, job_id, status)
    select id, project_id, job_id, status
    from moved
    where status <> 'completed'
), ended as (
    delete from leases
    where id = any(:ended_lease_ids::bigint[])
)
select id, true as late
from outcomes
where id not in (select id from moved)
union all
select id, false
from moved
where holds;

-- name: requeue
-- Send claimed runs back: to another attempt, to a later moment, to a gate, or
-- to the queue at once. `step` is added to the attempt. Each attempt may wait as
-- long as the first one, and what waits for its window does not use up its time.
-- Returned is what `finish` returns.
with clock as materialized (
    select now() as at, (extract(epoch from clock_timestamp()) * 1000000)::bigint as micros
), returns as materialized (
    select r.*
    from unnest(
        :ids::uuid[], :attempts::integer[], :lease_ids::bigint[], :steps::integer[], :ages_micros::bigint[],
        :delays::float8[], :reasons::text[], :errors::text[], :error_classes::text[],
        :priority_boosts::smallint[], :metadata::jsonb[], :gates::text[], :next_gates::text[],
        :metered::boolean[], :gated::boolean[]
    ) with ordinality as r (
        id, attempt, lease_id, step, age_micros, delay, reason, error, error_class, priority_boost,
        metadata, gate, next_gate, metered, gated, n)
), moved as (
    update runs
    set status = 'queued',
        gated = runs.gated or r.gate is not null,
        attempt = runs.attempt + r.step,
        priority = least(runs.priority + r.priority_boost, 10),
        queued_at = clock.at,
        expires_at = case when r.reason in ('retry', 'window') then greatest(
                runs.expires_at,
                clock.at + make_interval(secs => r.delay)
                    + (runs.expires_at - coalesce(runs.queued_at, runs.created_at)))
            else runs.expires_at end,
        next_retry_at = clock.at + make_interval(secs => r.delay),
        started_at = null,
        heartbeat_at = null,
        finished_at = null,
        lease_id = null,
        updated_at = clock.at,
        error = coalesce(r.error, runs.error),
        error_class = coalesce(r.error_class, runs.error_class),
        metadata = case when r.metadata is null then runs.metadata
            else coalesce(runs.metadata, '{}') || r.metadata end,
        moves = case
            when runs.status = 'dequeued' and r.age_micros is not null then
                runs.moves || array[(clock.micros - r.age_micros) * 16 + 3, clock.micros * 16 + 1]
            else runs.moves || (clock.micros * 16 + 1)
        end
    from returns as r, clock
    where runs.id = r.id
      and runs.attempt = r.attempt
      and runs.lease_id = r.lease_id
      and runs.status in ('dequeued', 'executing')
    returning runs.id, runs.project_id, runs.job_id, runs.priority, runs.expires_at, clock.at,
        clock.micros + r.n as ord, r.delay, r.reason, r.gate, r.next_gate, r.metered, runs.gated and not r.gated as holds
), later as (
    insert into scheduled (
        run_id, due_at, reason, priority, job_id, project_id, expires_at, metered, gate, next_gate)
    select id, at + make_interval(secs => delay), reason, priority, job_id, project_id, expires_at, metered,
        gate, next_gate
    from moved
    where delay is not null
), held as (
    insert into blocked (run_id, gate, next_gate, rank, priority, job_id, project_id, expires_at, metered)
    select id, gate, next_gate, ord - priority * :priority_worth::bigint, priority, job_id, project_id,
        expires_at, metered
    from moved
    where delay is null
      and gate is not null
), ready as (
    insert into queue (ord, priority, run_id, job_id, project_id, expires_at, metered)
    select ord, priority, id, job_id, project_id, expires_at, metered
    from moved
    where delay is null
      and gate is null
), told as (
    select pg_notify(channel, '')
    from (
        select distinct case when delay is null then 'strait_queue' else 'strait_scheduled' end as channel
        from moved
        where delay is null or delay < 10
    ) as channels
), ended as (
    delete from leases
    where id = any(:ended_lease_ids::bigint[])
)
select id, true as late
from returns
where id not in (select id from moved)
union all
select id, false
from moved
where holds
  and (select count(*) from told) >= 0;
