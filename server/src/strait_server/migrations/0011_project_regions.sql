-- tenancy/projects: the region a client says; nothing here runs anywhere because of it
-- migrate:up
alter table projects
    add column default_region text not null default '' check (length(default_region) <= 64);
