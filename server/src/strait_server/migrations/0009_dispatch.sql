-- work/dispatch: what is known of endpoints
-- migrate:up
create table endpoint_circuits (
    project_id      text not null,
    endpoint        text not null,
    state           text not null default 'closed' check (state in ('closed', 'open', 'half_open')),
    failures        integer not null default 0,
    open_until      timestamptz,
    probe_until     timestamptz,
    health_score    double precision not null default 100,
    updated_at      timestamptz not null default now(),
    primary key (project_id, endpoint)
);

-- How long runs of a job took, per hour: a histogram in powers of 2 ** 0.25 ms.
create table job_durations (
    job_id uuid not null,
    hour   timestamptz not null,
    bucket smallint not null,
    runs   bigint not null,
    primary key (job_id, hour, bucket)
);
