-- work/queue: leave room on a page for every version of its runs
-- migrate:up
--
-- The runs of a page are mostly claimed together and finished together, and a version makes room only for
-- those of later transactions. With a fillfactor of 60 a quarter of all moves found the page full and went to
-- another one, with a new entry in every index. With 40 hardly any does, and the table ends up as large as before.
create or replace function ensure_run_partitions(ahead integer) returns integer
language plpgsql as $$
declare
    parent  text;
    month   timestamptz;
    part    text;
    created integer := 0;
begin
    perform pg_advisory_xact_lock(hashtextextended('ensure_run_partitions', 0));
    foreach parent in array array['runs', 'run_payloads', 'run_events'] loop
        for month in
            select generate_series(
                date_trunc('month', now() at time zone 'UTC') - interval '1 month',
                date_trunc('month', now() at time zone 'UTC') + make_interval(months => ahead),
                interval '1 month') at time zone 'UTC'
        loop
            part := parent || to_char(month at time zone 'UTC', '_YYYY_MM');
            if to_regclass(part) is null then
                execute format(
                    'create table %I partition of %I for values from (%L) to (%L)',
                    part, parent, id_floor(month),
                    id_floor((month at time zone 'UTC' + interval '1 month') at time zone 'UTC'));
                if parent = 'runs' then
                    execute format('alter table %I set (fillfactor = 40, autovacuum_vacuum_scale_factor = 0.05)', part);
                end if;
                created := created + 1;
            end if;
        end loop;
    end loop;
    return created;
end
$$;

do $$
declare
    part regclass;
begin
    for part in
        select inhrelid::regclass
        from pg_inherits
        join pg_class on pg_class.oid = inhrelid
        where inhparent = 'runs'::regclass
          and reloptions is not null
    loop
        execute format('alter table %s set (fillfactor = 40)', part);
    end loop;
end
$$;
