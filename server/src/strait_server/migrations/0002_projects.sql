-- tenancy/projects: who owns what, and how much of it
-- migrate:up
create table projects (
    id         text primary key check (length(id) between 1 and 64),
    org_id     text not null,
    name       text not null check (length(name) between 2 and 255),
    timezone   text not null default 'UTC',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    deleted_at timestamptz
);

-- Zero means unlimited. A project without a row has no limits.
create table project_quotas (
    project_id               text primary key references projects (id),
    max_queued_runs          integer not null default 0 check (max_queued_runs >= 0),
    max_executing_runs       integer not null default 0 check (max_executing_runs >= 0),
    max_jobs                 integer not null default 0 check (max_jobs >= 0),
    rate_limit_requests      integer not null default 0 check (rate_limit_requests >= 0),
    rate_limit_window_secs   integer not null default 0 check (rate_limit_window_secs >= 0),
    updated_at               timestamptz not null default now()
);
