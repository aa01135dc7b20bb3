-- Every statement that reads or writes `api_keys`.
--
-- Processes remember for some seconds whom a key means. Whatever changes that
-- says so on the channel `strait_changed`, as `key:<hash>`, with its commit.

-- name: recognise
-- One look for everything a request needs to know of a key. The projects are
-- joined, not asked: a key of a deleted project must not open anything, even
-- while its revocation is on its way.
select
    api_keys.id,
    api_keys.project_id,
    scopes,
    case
        when revoked_at is not null or projects.deleted_at is not null then 'api key has been revoked'
        when expires_at <= now() then 'api key has expired'
        when grace_expires_at <= now() then 'api key rotation grace period has ended'
        else ''
    end as refusal,
    extract(epoch from least(expires_at, grace_expires_at) - now())::float8 as seconds_left,
    api_keys.rate_limit_requests as key_requests,
    api_keys.rate_limit_window_secs as key_window_secs,
    coalesce(project_quotas.rate_limit_requests, 0) as project_requests,
    coalesce(project_quotas.rate_limit_window_secs, 0) as project_window_secs
from api_keys
join projects on projects.id = api_keys.project_id
left join project_quotas on project_quotas.project_id = api_keys.project_id
where key_hash = :key_hash;

-- name: insert
-- No row: there is no such project.
insert into api_keys (
    id, project_id, name, key_hash, key_prefix, scopes, created_by, expires_at,
    rate_limit_requests, rate_limit_window_secs
)
select
    :id,
    projects.id,
    :name,
    :key_hash,
    :key_prefix,
    :scopes,
    :created_by,
    case when :expires_in_days::int > 0 then now() + make_interval(days => :expires_in_days) end,
    :rate_limit_requests,
    :rate_limit_window_secs
from projects
where id = :project_id
  and deleted_at is null
returning
    id, project_id, name, key_prefix, scopes, created_at, expires_at, last_used_at, revoked_at,
    replaced_by_key_id, grace_expires_at, rate_limit_requests, rate_limit_window_secs, created_by;

-- name: list_keys
select
    id, project_id, name, key_prefix, scopes, created_at, expires_at, last_used_at, revoked_at,
    replaced_by_key_id, grace_expires_at, rate_limit_requests, rate_limit_window_secs, created_by
from api_keys
where project_id = :project_id
  and (created_at, id) < (:before_at, :before_id)
order by created_at desc, id desc
limit :limit;

-- name: lock
-- The row stays as it is until we are done: two rotations of one key at once
-- would leave a successor that nobody knows.
select
    id, project_id, name, key_prefix, scopes, created_at, expires_at, last_used_at, revoked_at,
    replaced_by_key_id, grace_expires_at, rate_limit_requests, rate_limit_window_secs, created_by,
    coalesce(expires_at <= now(), false) as expired
from api_keys
where id = :key_id
  and (:project_id::text is null or project_id = :project_id)
for update;

-- name: succeed
-- The caller holds the lock of the old key. The successor is like it in
-- everything but the key and the name (T110), and both rows change or neither.
with successor as (
    insert into api_keys (
        id, project_id, name, key_hash, key_prefix, scopes, created_by, expires_at,
        rate_limit_requests, rate_limit_window_secs
    )
    select
        :successor_id::uuid,
        project_id,
        :name,
        :key_hash,
        :key_prefix,
        scopes,
        :created_by,
        expires_at,
        rate_limit_requests,
        rate_limit_window_secs
    from api_keys
    where id = :key_id
    returning id, project_id, name, key_prefix, scopes, created_at, expires_at
),
retired as (
    update api_keys
    set replaced_by_key_id = :successor_id::uuid,
        grace_expires_at = now() + make_interval(secs => :grace_seconds)
    where id = :key_id
      and revoked_at is null
      and replaced_by_key_id is null
    returning key_hash, grace_expires_at
),
told as (
    select pg_notify('strait_changed', 'key:' || key_hash)
    from retired
)
select
    successor.id, project_id, name, key_prefix, scopes, created_at, expires_at,
    retired.grace_expires_at
from successor, retired, told;

-- name: revoke
-- No row: there is no such key, or it was revoked before.
with revoked as (
    update api_keys
    set revoked_at = now()
    where id = :key_id
      and (:project_id::text is null or project_id = :project_id)
      and revoked_at is null
    returning id, key_hash
)
select id, pg_notify('strait_changed', 'key:' || key_hash)
from revoked;

-- name: revoke_all
with revoked as (
    update api_keys
    set revoked_at = now()
    where project_id = :project_id
      and created_at <= :made_before
      and revoked_at is null
    returning id, key_hash
)
select id, pg_notify('strait_changed', 'key:' || key_hash)
from revoked;

-- name: touch
-- Once a second and key is often enough; more would only make dead rows.
update api_keys
set last_used_at = now()
where id = any(:key_ids::uuid[])
  and (last_used_at is null or last_used_at < now() - interval '1 second');
