-- Every statement on `projects` and `project_quotas`.
--
-- Processes keep copies of both. Whatever changes them says so on the channel
-- `strait_changed`, as `project:<id>`, with its commit.

-- name: upsert
-- An id that exists gets the new name and owner, also when it was deleted.
with saved as (
    insert into projects (id, org_id, name)
    values (:id, :org_id, :name)
    on conflict (id) do update
    set org_id = excluded.org_id,
        name = excluded.name,
        deleted_at = null,
        updated_at = now()
    returning id, org_id, name, created_at, updated_at
),
told as (
    select pg_notify('strait_changed', 'project:' || id)
    from saved
)
select id, org_id, name, created_at, updated_at
from saved, told;

-- name: find
select id, org_id, name, created_at, updated_at
from projects
where id = :project_id
  and deleted_at is null;

-- name: list_of_org
select id, org_id, name, created_at, updated_at
from projects
where org_id = :org_id
  and deleted_at is null
order by created_at desc, id desc
limit :limit;

-- name: delete
-- No row: there is no such project, or it was deleted before.
with deleted as (
    update projects
    set deleted_at = now(),
        updated_at = now()
    where id = :project_id
      and deleted_at is null
    returning id, deleted_at
)
select deleted_at, pg_notify('strait_changed', 'project:' || id)
from deleted;

-- name: find_settings
select id as project_id, timezone, default_region
from projects
where id = :project_id
  and deleted_at is null;

-- name: change_settings
-- What is null stays as it is. No row: there is no such project.
with changed as (
    update projects
    set timezone = coalesce(:timezone::text, timezone),
        default_region = coalesce(:default_region::text, default_region),
        updated_at = now()
    where id = :project_id
      and deleted_at is null
    returning id, timezone, default_region
),
told as (
    select pg_notify('strait_changed', 'project:' || id)
    from changed
)
select id as project_id, timezone, default_region
from changed, told;

-- name: find_quotas
-- A project without a row of quotas has no limits.
select
    timezone,
    coalesce(max_queued_runs, 0) as max_queued_runs,
    coalesce(max_executing_runs, 0) as max_executing_runs,
    coalesce(max_jobs, 0) as max_jobs,
    coalesce(rate_limit_requests, 0) as rate_limit_requests,
    coalesce(rate_limit_window_secs, 0) as rate_limit_window_secs
from projects
left join project_quotas on project_quotas.project_id = projects.id
where projects.id = :project_id
  and deleted_at is null;

-- name: set_quotas
-- The caller has changed or read the project in this transaction.
with changed as (
    insert into project_quotas (
        project_id, max_queued_runs, max_executing_runs, max_jobs,
        rate_limit_requests, rate_limit_window_secs
    )
    values (
        :project_id, :max_queued_runs, :max_executing_runs, :max_jobs,
        :rate_limit_requests, :rate_limit_window_secs
    )
    on conflict (project_id) do update
    set max_queued_runs = excluded.max_queued_runs,
        max_executing_runs = excluded.max_executing_runs,
        max_jobs = excluded.max_jobs,
        rate_limit_requests = excluded.rate_limit_requests,
        rate_limit_window_secs = excluded.rate_limit_window_secs,
        updated_at = now()
    returning project_id
)
select project_id, pg_notify('strait_changed', 'project:' || project_id)
from changed;

-- name: lock
-- Changes of one project's quotas come one after the other.
select id
from projects
where id = :project_id
  and deleted_at is null
for update;
