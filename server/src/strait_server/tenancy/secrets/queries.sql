-- Every statement that reads or writes `secrets`.

-- name: job_named
select id
from jobs
where project_id = :project_id
  and slug = :slug;

-- name: claim
-- Make the row, or take the one that has this name, and hold its lock: the seal
-- needs to know the id of its row. The value follows in the same transaction.
-- No row: there is no such project, or the job is not one of its jobs.
insert into secrets (id, project_id, job_id, environment, secret_key, sealed)
select :id, projects.id, :job_id::uuid, :environment, :secret_key, ''
from projects
where id = :project_id
  and deleted_at is null
  and (
      :job_id::uuid is null
      or exists (select from jobs where jobs.id = :job_id and jobs.project_id = :project_id)
  )
on conflict (
    project_id, environment,
    coalesce(job_id, '00000000-0000-0000-0000-000000000000'::uuid), secret_key
) do update
set key_version = secrets.key_version + 1,
    updated_at = now()
returning id;

-- name: fill
-- The caller holds the lock of the row.
update secrets
set sealed = :sealed
where id = :secret_id
returning id, project_id, job_id, environment, secret_key, key_version, created_at, updated_at;

-- name: list_secrets
select id, project_id, job_id, environment, secret_key, key_version, created_at, updated_at
from secrets
where project_id = :project_id
  and (:job_id::uuid is null or job_id = :job_id)
  and (:environment::text is null or environment = :environment)
  and (created_at, id) < (:before_at, :before_id)
order by created_at desc, id desc
limit :limit;

-- name: find
select id, project_id, job_id, environment, secret_key, key_version, created_at, updated_at
from secrets
where id = :secret_id
  and (:project_id::text is null or project_id = :project_id);

-- name: delete
-- Zero rows: there is no such secret. The project it belonged to is told.
delete from secrets
where id = :secret_id
  and (:project_id::text is null or project_id = :project_id)
returning project_id;

-- name: sealed_for_job
-- Those of the project before those of the job, so that the latter win (behaviour 3.7).
select id, secret_key, sealed
from secrets
where project_id = :project_id
  and environment = :environment
  and (job_id is null or job_id = :job_id)
order by job_id nulls first, created_at;

-- name: reseal
-- The same value under the new key. Zero rows: it was replaced meanwhile, and so is sealed anew.
update secrets
set sealed = :sealed
where id = :secret_id
  and sealed = :former;

-- name: announce
-- Let every worker forget the secrets of the project it has opened.
select pg_notify('strait_changed', 'secret:' || :project_id);
