-- tenancy/secrets: values sealed at rest, handed to endpoints at dispatch
-- migrate:up
create table secrets (
    id          uuid primary key,
    project_id  text not null references projects (id),
    job_id      uuid,
    environment text not null default 'production',
    secret_key  text not null check (secret_key ~ '^[A-Za-z_][A-Za-z0-9_]*$' and length(secret_key) <= 128),
    sealed      text not null,
    key_version integer not null default 1 check (key_version >= 1),
    created_at  timestamptz not null default now(),
    updated_at  timestamptz not null default now()
);
-- A null job means every job of the project; nulls must clash like values do.
create unique index secrets_by_name
    on secrets (project_id, environment, coalesce(job_id, '00000000-0000-0000-0000-000000000000'::uuid), secret_key);
