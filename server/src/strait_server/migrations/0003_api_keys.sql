-- tenancy/access: keys, stored as hashes
-- migrate:up
create table api_keys (
    id                     uuid primary key,
    project_id             text not null references projects (id),
    name                   text not null check (length(name) between 1 and 255),
    key_hash               text not null unique,
    key_prefix             text not null,
    scopes                 text[] not null,
    rate_limit_requests    integer not null default 0 check (rate_limit_requests >= 0),
    rate_limit_window_secs integer not null default 0 check (rate_limit_window_secs >= 0),
    created_by             text not null default '',
    created_at             timestamptz not null default now(),
    expires_at             timestamptz,
    last_used_at           timestamptz,
    revoked_at             timestamptz,
    replaced_by_key_id     uuid references api_keys (id),
    grace_expires_at       timestamptz
);
create index api_keys_by_project on api_keys (project_id, created_at, id);
