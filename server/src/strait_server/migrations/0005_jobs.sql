-- work/jobs: what can be triggered
-- migrate:up
create table jobs (
    id                      uuid primary key,
    project_id              text not null references projects (id),
    slug                    text not null check (length(slug) between 1 and 128),
    name                    text not null check (length(name) between 1 and 255),
    description             text,
    endpoint_url            text not null check (length(endpoint_url) <= 2048),
    fallback_endpoint_url   text check (length(fallback_endpoint_url) <= 2048),
    endpoint_secret         text,
    payload_schema          json,
    result_schema           json,
    tags                    jsonb,
    default_run_metadata    jsonb,
    max_attempts            integer not null default 3 check (max_attempts between 1 and 100),
    timeout_secs            integer not null default 300 check (timeout_secs between 1 and 86400),
    retry_strategy          text not null default 'exponential'
                            check (retry_strategy in ('exponential', 'linear', 'fixed', 'custom')),
    retry_delays_secs       integer[],
    retry_priority_boost    integer not null default 1 check (retry_priority_boost between 0 and 10),
    poison_pill_threshold   integer check (poison_pill_threshold >= 0),
    max_concurrency         integer not null default 0 check (max_concurrency >= 0),
    max_concurrency_per_key integer not null default 0 check (max_concurrency_per_key >= 0),
    rate_limit_max          integer not null default 0 check (rate_limit_max >= 0),
    rate_limit_window_secs  integer not null default 0 check (rate_limit_window_secs >= 0),
    rate_limit_keys         json,
    run_ttl_secs            integer not null default 0 check (run_ttl_secs >= 0),
    execution_window_cron   text,
    timezone                text,
    enabled                 boolean not null default true,
    paused                  boolean not null default false,
    paused_at               timestamptz,
    pause_reason            text check (length(pause_reason) <= 500),
    version                 integer not null default 1 check (version >= 1),
    version_id              text not null,
    -- Grows with every change, also with those that make no version: whoever
    -- holds a copy of the job sees by it that the copy is old (T127).
    revision                bigint not null default 1,
    created_by              text,
    updated_by              text,
    created_at              timestamptz not null default now(),
    updated_at              timestamptz not null default now(),
    unique (project_id, slug),
    check (paused = (paused_at is not null)),
    check (retry_strategy <> 'custom' or cardinality(retry_delays_secs) > 0)
);
create index jobs_by_project on jobs (project_id, created_at, id);
alter table secrets add foreign key (job_id) references jobs (id) on delete cascade;
