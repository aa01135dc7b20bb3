-- base: facts on their way to those who react
-- migrate:up
create table outbox (
    id          bigint generated always as identity primary key,
    fact        text not null,
    body        json not null,
    recorded_by xid8 not null default pg_current_xact_id(),
    recorded_at timestamptz not null default now()
);
