-- What is known of endpoints and of how long jobs take.
--
-- Workers report in batches: what happened at an endpoint since the last report
-- is folded into four numbers. A report does to the row what its successes and
-- failures would have done one by one, however they were cut into reports. Every
-- instant is the database's; workers are told durations.

-- name: circuit
select state, failures, health_score,
    extract(epoch from open_until - now())::float8 as opens_in,
    extract(epoch from probe_until - now())::float8 as probe_ends_in
from endpoint_circuits
where project_id = :project_id
  and endpoint = :endpoint;

-- name: probe
-- Be the one who probes: only while nobody does and the circuit has been open
-- long enough. Zero rows: somebody was faster, or it has closed (T34).
update endpoint_circuits
set state = 'half_open',
    probe_until = now() + make_interval(secs => :seconds::float8),
    updated_at = now()
where project_id = :project_id
  and endpoint = :endpoint
  and ((state = 'open' and open_until <= now())
       or (state = 'half_open' and probe_until <= now()));

-- name: report
-- Add what happened: `recovered` says that there was a success, `failures` how
-- many failures came after the last one. The score becomes `score_kept` of itself
-- plus `score_added`. A report of nothing is from a probe that found out nothing:
-- the next one need not wait. Returned are the circuits whose state changed.
with reports as (
    select *
    from unnest(
        :project_ids::text[], :endpoints::text[], :recovered::boolean[], :failures::integer[],
        :score_kept::float8[], :score_added::float8[]
    ) as r (project_id, endpoint, recovered, failures, score_kept, score_added)
), before as (
    select c.project_id, c.endpoint, c.state
    from endpoint_circuits as c
    join reports using (project_id, endpoint)
), after as (
    insert into endpoint_circuits as c (project_id, endpoint, failures, state, open_until, health_score)
    select project_id, endpoint, failures,
        case when failures >= :threshold then 'open' else 'closed' end,
        case when failures >= :threshold then now() + make_interval(secs => :open_seconds::float8) end,
        greatest(least(100 * score_kept + score_added, 100), 0)
    from reports
    order by project_id, endpoint
    on conflict (project_id, endpoint) do update
    set (failures, state, open_until, probe_until, health_score, updated_at) = (
        select
            case when r.recovered then r.failures
                when c.state = 'open' then c.failures
                else c.failures + r.failures end,
            case when not r.recovered and c.state = 'open' then 'open'
                when not r.recovered and c.state = 'half_open' and r.failures > 0 then 'open'
                when not r.recovered and c.state = 'half_open' then 'half_open'
                when (case when r.recovered then 0 else c.failures end) + r.failures >= :threshold then 'open'
                else 'closed' end,
            case when not r.recovered and c.state = 'open' then c.open_until
                when (not r.recovered and c.state = 'half_open' and r.failures > 0)
                    or (case when r.recovered then 0 else c.failures end) + r.failures >= :threshold
                    then now() + make_interval(secs => :open_seconds::float8) end,
            case when not r.recovered and c.state = 'half_open' and r.failures = 0 then now() end,
            greatest(least(c.health_score * r.score_kept + r.score_added, 100), 0),
            now()
        from reports as r
        where r.project_id = c.project_id
          and r.endpoint = c.endpoint)
    returning c.project_id, c.endpoint, c.state
)
select pg_notify('strait_circuits', after.project_id || ' ' || after.endpoint)::text as told
from after
left join before using (project_id, endpoint)
where after.state is distinct from coalesce(before.state, 'closed');

-- name: add_durations
insert into job_durations (job_id, hour, bucket, runs)
select d.job_id, date_trunc('hour', now()), d.bucket, d.runs
from unnest(:job_ids::uuid[], :buckets::smallint[], :runs::bigint[]) as d (job_id, bucket, runs)
order by d.job_id, d.bucket
on conflict (job_id, hour, bucket) do update
set runs = job_durations.runs + excluded.runs;

-- name: durations
-- The histogram of the last 24 hours.
select bucket, sum(runs)::bigint as runs
from job_durations
where job_id = :job_id
  and hour > now() - interval '25 hours'
group by bucket
order by bucket;

-- name: forget_durations
delete from job_durations
where (job_id, hour, bucket) in (
    select job_id, hour, bucket
    from job_durations
    where hour < now() - interval '31 days'
    limit 5000);
