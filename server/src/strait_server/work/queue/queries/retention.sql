-- Growing by months, and shrinking again.
--
-- Rows go in batches, as each kind of run grows old; a month whose last run has
-- grown old goes whole. Both look at the oldest first and pass over what must stay.

-- name: ensure_months
select ensure_run_partitions(2);

-- name: retire
-- Look at the next 5000 runs after :after, and delete those that have been final
-- for long enough, with all that is theirs. A run whose parent goes on stays.
-- Returned: how many, and the last run that was looked at, none at the end.
with examined as materialized (
    select id, project_id, status, finished_at, parent_run_id
    from runs
    where id > :after
      and id < id_floor(now() - make_interval(secs => :youngest_seconds::float8))
    order by id
    limit 5000
), old as (
    select examined.id, examined.finished_at
    from examined
    where (examined.status in ('completed', 'failed', 'canceled', 'expired')
           and examined.finished_at < now() - make_interval(secs => :short_seconds::float8)
       or examined.status in ('timed_out', 'crashed', 'system_failed', 'dead_letter')
           and :long_seconds::float8 > 0
           and examined.finished_at < now() - make_interval(secs => :long_seconds))
      and not exists (
          select
          from runs as parents
          where parents.id = examined.parent_run_id
            and parents.finished_at is null)
), held as materialized (
    select runs.id
    from old
    join runs on runs.id = old.id
    where runs.finished_at = old.finished_at
    for update of runs skip locked
), gone as (
    delete from runs using held where runs.id = held.id
), payloads as (
    delete from run_payloads using held where run_payloads.run_id = held.id
), events as (
    delete from run_events using held where run_events.run_id = held.id
), unsuccessful as (
    delete from unsuccessful_runs using held where unsuccessful_runs.run_id = held.id
)
select (select count(*) from held)::integer as deleted,
    (select id from examined order by id desc limit 1) as last;

-- name: oldest_month
-- The first month that has a partition, as its suffix `2026_01`, and its bounds.
select substring(relname from '\d{4}_\d{2}$') as name,
    to_date(substring(relname from '\d{4}_\d{2}$'), 'YYYY_MM')::timestamp at time zone 'UTC' as begins_at,
    (to_date(substring(relname from '\d{4}_\d{2}$'), 'YYYY_MM') + interval '1 month') at time zone 'UTC' as ends_at
from pg_inherits
join pg_class on pg_class.oid = pg_inherits.inhrelid
where pg_inherits.inhparent = 'runs'::regclass
  and relname ~ '^runs_\d{4}_\d{2}$'
order by relname
limit 1;

-- name: is_spent
-- Whether nothing of a month, or of what came before it, must be kept any longer.
-- The last two months always stay: `ensure_months` would make them again. When
-- dead letters are kept forever, only an empty month is spent.
select :ends_at::timestamptz < least(
        date_trunc('month', now()) - interval '1 month',
        now() - make_interval(secs => :oldest_seconds::float8))
   and not exists (
       select
       from runs
       where id < id_floor(:ends_at)
         and (:forever::boolean
              or finished_at is null
              or finished_at > now() - make_interval(secs => :oldest_seconds)));

-- name: name_month
-- Tell `drop_month` which.
select set_config('strait.month', :name, true);

-- name: drop_month
-- Waits half a second for its locks, because everybody else would wait behind it.
do $$
declare
    parent text;
    part   text;
begin
    set local lock_timeout = '500ms';
    foreach parent in array array['runs', 'run_payloads', 'run_events'] loop
        part := parent || '_' || current_setting('strait.month');
        if to_regclass(part) is not null then
            execute format('alter table %I detach partition %I', parent, part);
            execute format('drop table %I', part);
        end if;
    end loop;
exception when lock_not_available then
    raise log 'the month % is in use, and is dropped another time', current_setting('strait.month');
end
$$;

-- name: is_dropped
select to_regclass('runs_' || :name::text) is null;

-- name: forget_dropped
-- Drop what the side table still says of runs that went with their month.
delete from unsuccessful_runs
where run_id in (
    select run_id
    from unsuccessful_runs
    where run_id < id_floor(:begins_at)
    order by run_id
    limit 5000);
