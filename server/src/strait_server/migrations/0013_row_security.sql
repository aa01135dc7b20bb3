-- base/db: a request of one project meets that project's rows only (behaviour 13.10, T114, ADR 0006)
-- migrate:up
--
-- The owner of the tables is not held by policies, and who works for many projects at once is the owner.
-- Requests of one project run as the role `strait_tenant`, with the project in `app.current_project_id`.
-- The role belongs to the whole cluster and may be missing: policies name no role, grants are a function's.
-- A table without a policy here is the system's: see what `grant_to_tenants` grants of it.

-- How many places a gate has left is counted run by run: a look at each run would make that slow.
alter table slots add column project_id text;
update slots set project_id = runs.project_id from runs where runs.id = slots.run_id;
delete from slots where project_id is null;
alter table slots alter column project_id set not null;

create policy of_project on projects
    using (id = nullif(current_setting('app.current_project_id', true), ''));
create policy of_project on project_quotas
    using (project_id = nullif(current_setting('app.current_project_id', true), ''));
create policy of_project on api_keys
    using (project_id = nullif(current_setting('app.current_project_id', true), ''));
create policy of_project on secrets
    using (project_id = nullif(current_setting('app.current_project_id', true), ''));
create policy of_project on jobs
    using (project_id = nullif(current_setting('app.current_project_id', true), ''));
create policy of_project on runs
    using (project_id = nullif(current_setting('app.current_project_id', true), ''));
create policy of_project on queue
    using (project_id = nullif(current_setting('app.current_project_id', true), ''));
create policy of_project on scheduled
    using (project_id = nullif(current_setting('app.current_project_id', true), ''));
create policy of_project on blocked
    using (project_id = nullif(current_setting('app.current_project_id', true), ''));
create policy of_project on slots
    using (project_id = nullif(current_setting('app.current_project_id', true), ''));
create policy of_project on unsuccessful_runs
    using (project_id = nullif(current_setting('app.current_project_id', true), ''));
create policy of_project on batch_operations
    using (project_id = nullif(current_setting('app.current_project_id', true), ''));
create policy of_project on endpoint_circuits
    using (project_id = nullif(current_setting('app.current_project_id', true), ''));

-- These name a run or a job, whose own policy decides. A key outlives its job, but is made for one.
create policy of_run on run_events
    using (exists (select from runs where runs.id = run_events.run_id));
create policy of_job on job_durations
    using (exists (select from jobs where jobs.id = job_durations.job_id));
create policy of_job on rate_limit_buckets
    using (exists (select from jobs where jobs.id = substring(rate_limit_buckets.scope from 5 for 36)::uuid));
create policy of_run_or_job on idempotency_keys
    using (
        exists (select from runs where runs.id = idempotency_keys.run_id)
        or exists (select from jobs where jobs.id = idempotency_keys.job_id))
    with check (exists (select from jobs where jobs.id = idempotency_keys.job_id));

-- A run and its payload are inserted by one statement, whose parts do not see each other. That a payload is
-- for no run of anybody else the primary key says: every run has its payload from the beginning.
create policy of_new_run on run_payloads for insert
    with check (true);
create policy read_of_run on run_payloads for select
    using (exists (select from runs where runs.id = run_payloads.run_id));
create policy changed_of_run on run_payloads for update
    using (exists (select from runs where runs.id = run_payloads.run_id));
create policy deleted_of_run on run_payloads for delete
    using (exists (select from runs where runs.id = run_payloads.run_id));

alter table projects enable row level security;
alter table project_quotas enable row level security;
alter table api_keys enable row level security;
alter table secrets enable row level security;
alter table jobs enable row level security;
alter table runs enable row level security;
alter table run_payloads enable row level security;
alter table run_events enable row level security;
alter table queue enable row level security;
alter table scheduled enable row level security;
alter table blocked enable row level security;
alter table slots enable row level security;
alter table unsuccessful_runs enable row level security;
alter table idempotency_keys enable row level security;
alter table rate_limit_buckets enable row level security;
alter table batch_operations enable row level security;
alter table endpoint_circuits enable row level security;
alter table job_durations enable row level security;

-- Make the role if it is not there and we may, become a member, and grant it what requests do: no more. A
-- migration that changes this replaces the function and calls it; a start calls it when nothing is granted.
-- Databases of one cluster may do this at the same moment. False: a superuser has to make the role.
create function grant_to_tenants() returns boolean
language plpgsql as $$
begin
    perform pg_advisory_xact_lock(hashtextextended('strait.tenants', 0));
    if to_regrole('strait_tenant') is null then
        begin
            create role strait_tenant nologin;
        exception when duplicate_object or unique_violation then
            null;
        end;
    end if;
    if not pg_has_role(
        session_user, 'strait_tenant',
        case when current_setting('server_version_num')::integer >= 160000 then 'SET' else 'MEMBER' end)
    then
        begin
            execute format('grant strait_tenant to %I', session_user);
        exception when unique_violation then
            null;
        end;
    end if;
    if not has_schema_privilege('strait_tenant', current_schema(), 'usage') then
        execute format('grant usage on schema %I to strait_tenant', current_schema());
    end if;
    grant select, update on projects to strait_tenant;
    grant select, insert, update on project_quotas, api_keys to strait_tenant;
    grant select, insert, update, delete on secrets, jobs to strait_tenant;
    grant select, insert, update on runs, run_payloads to strait_tenant;
    grant select on run_events, batch_operations, leases, workers to strait_tenant;
    grant select, insert, delete on queue, slots, unsuccessful_runs to strait_tenant;
    grant select, insert, update, delete on scheduled, blocked, idempotency_keys to strait_tenant;
    grant select, insert, update on rate_limit_buckets to strait_tenant;
    grant insert on outbox to strait_tenant;
    return true;
exception when insufficient_privilege then
    return false;
end
$$;
select grant_to_tenants();
