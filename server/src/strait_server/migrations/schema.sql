-- The schema that the migrations lead to. Generated: do not edit.

create table api_keys (
    id uuid not null,
    project_id text not null,
    name text not null,
    key_hash text not null,
    key_prefix text not null,
    scopes text[] not null,
    rate_limit_requests integer not null default 0,
    rate_limit_window_secs integer not null default 0,
    created_by text not null default ''::text,
    created_at timestamp with time zone not null default now(),
    expires_at timestamp with time zone,
    last_used_at timestamp with time zone,
    revoked_at timestamp with time zone,
    replaced_by_key_id uuid,
    grace_expires_at timestamp with time zone,
    constraint api_keys_pkey PRIMARY KEY (id),
    constraint api_keys_key_hash_key UNIQUE (key_hash),
    constraint api_keys_project_id_fkey FOREIGN KEY (project_id) REFERENCES projects(id),
    constraint api_keys_replaced_by_key_id_fkey FOREIGN KEY (replaced_by_key_id) REFERENCES api_keys(id),
    constraint api_keys_name_check CHECK (length(name) >= 1 AND length(name) <= 255),
    constraint api_keys_rate_limit_requests_check CHECK (rate_limit_requests >= 0),
    constraint api_keys_rate_limit_window_secs_check CHECK (rate_limit_window_secs >= 0)
);
CREATE INDEX api_keys_by_project ON api_keys USING btree (project_id, created_at, id);
alter table api_keys enable row level security;
create policy of_project on api_keys using ((project_id = NULLIF(current_setting('app.current_project_id'::text, true), ''::text)));

create table batch_operations (
    id uuid not null,
    project_id text not null,
    job_id uuid not null,
    item_count integer not null,
    created_count integer not null,
    created_by text,
    created_at timestamp with time zone not null default now(),
    finished_at timestamp with time zone,
    constraint batch_operations_pkey PRIMARY KEY (id)
);
CREATE INDEX batch_operations_by_project ON batch_operations USING btree (project_id, created_at, id);
alter table batch_operations enable row level security;
create policy of_project on batch_operations using ((project_id = NULLIF(current_setting('app.current_project_id'::text, true), ''::text)));

create table blocked (
    run_id uuid not null,
    gate text not null,
    next_gate text,
    rank bigint not null,
    priority smallint not null,
    job_id uuid not null,
    project_id text not null,
    expires_at timestamp with time zone,
    metered boolean not null default false,
    since timestamp with time zone not null default now(),
    constraint blocked_pkey PRIMARY KEY (run_id)
);
CREATE INDEX blocked_by_job ON blocked USING btree (job_id);
CREATE INDEX blocked_by_project ON blocked USING btree (project_id);
CREATE INDEX blocked_in_order ON blocked USING btree (gate, rank);
alter table blocked enable row level security;
create policy of_project on blocked using ((project_id = NULLIF(current_setting('app.current_project_id'::text, true), ''::text)));

create table endpoint_circuits (
    project_id text not null,
    endpoint text not null,
    state text not null default 'closed'::text,
    failures integer not null default 0,
    open_until timestamp with time zone,
    probe_until timestamp with time zone,
    health_score double precision not null default 100,
    updated_at timestamp with time zone not null default now(),
    constraint endpoint_circuits_pkey PRIMARY KEY (project_id, endpoint),
    constraint endpoint_circuits_state_check CHECK (state = ANY (ARRAY['closed'::text, 'open'::text, 'half_open'::text]))
);
alter table endpoint_circuits enable row level security;
create policy of_project on endpoint_circuits using ((project_id = NULLIF(current_setting('app.current_project_id'::text, true), ''::text)));

create table idempotency_keys (
    job_id uuid not null,
    key text not null,
    run_id uuid not null,
    created_at timestamp with time zone not null default now(),
    constraint idempotency_keys_pkey PRIMARY KEY (job_id, key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys USING btree (created_at);
alter table idempotency_keys enable row level security;
create policy of_run_or_job on idempotency_keys using (((EXISTS ( SELECT
   FROM runs
  WHERE (runs.id = idempotency_keys.run_id))) OR (EXISTS ( SELECT
   FROM jobs
  WHERE (jobs.id = idempotency_keys.job_id))))) with check ((EXISTS ( SELECT
   FROM jobs
  WHERE (jobs.id = idempotency_keys.job_id))));

create table job_durations (
    job_id uuid not null,
    hour timestamp with time zone not null,
    bucket smallint not null,
    runs bigint not null,
    constraint job_durations_pkey PRIMARY KEY (job_id, hour, bucket)
);
alter table job_durations enable row level security;
create policy of_job on job_durations using ((EXISTS ( SELECT
   FROM jobs
  WHERE (jobs.id = job_durations.job_id))));

create table jobs (
    id uuid not null,
    project_id text not null,
    slug text not null,
    name text not null,
    description text,
    endpoint_url text not null,
    fallback_endpoint_url text,
    endpoint_secret text,
    payload_schema json,
    result_schema json,
    tags jsonb,
    default_run_metadata jsonb,
    max_attempts integer not null default 3,
    timeout_secs integer not null default 300,
    retry_strategy text not null default 'exponential'::text,
    retry_delays_secs integer[],
    retry_priority_boost integer not null default 1,
    poison_pill_threshold integer,
    max_concurrency integer not null default 0,
    max_concurrency_per_key integer not null default 0,
    rate_limit_max integer not null default 0,
    rate_limit_window_secs integer not null default 0,
    rate_limit_keys json,
    run_ttl_secs integer not null default 0,
    execution_window_cron text,
    timezone text,
    enabled boolean not null default true,
    paused boolean not null default false,
    paused_at timestamp with time zone,
    pause_reason text,
    version integer not null default 1,
    version_id text not null,
    revision bigint not null default 1,
    created_by text,
    updated_by text,
    created_at timestamp with time zone not null default now(),
    updated_at timestamp with time zone not null default now(),
    constraint jobs_pkey PRIMARY KEY (id),
    constraint jobs_project_id_slug_key UNIQUE (project_id, slug),
    constraint jobs_project_id_fkey FOREIGN KEY (project_id) REFERENCES projects(id),
    constraint jobs_check CHECK (paused = (paused_at IS NOT NULL)),
    constraint jobs_check1 CHECK (retry_strategy <> 'custom'::text OR cardinality(retry_delays_secs) > 0),
    constraint jobs_endpoint_url_check CHECK (length(endpoint_url) <= 2048),
    constraint jobs_fallback_endpoint_url_check CHECK (length(fallback_endpoint_url) <= 2048),
    constraint jobs_max_attempts_check CHECK (max_attempts >= 1 AND max_attempts <= 100),
    constraint jobs_max_concurrency_check CHECK (max_concurrency >= 0),
    constraint jobs_max_concurrency_per_key_check CHECK (max_concurrency_per_key >= 0),
    constraint jobs_name_check CHECK (length(name) >= 1 AND length(name) <= 255),
    constraint jobs_pause_reason_check CHECK (length(pause_reason) <= 500),
    constraint jobs_poison_pill_threshold_check CHECK (poison_pill_threshold >= 0),
    constraint jobs_rate_limit_max_check CHECK (rate_limit_max >= 0),
    constraint jobs_rate_limit_window_secs_check CHECK (rate_limit_window_secs >= 0),
    constraint jobs_retry_priority_boost_check CHECK (retry_priority_boost >= 0 AND retry_priority_boost <= 10),
    constraint jobs_retry_strategy_check CHECK (retry_strategy = ANY (ARRAY['exponential'::text, 'linear'::text, 'fixed'::text, 'custom'::text])),
    constraint jobs_run_ttl_secs_check CHECK (run_ttl_secs >= 0),
    constraint jobs_slug_check CHECK (length(slug) >= 1 AND length(slug) <= 128),
    constraint jobs_timeout_secs_check CHECK (timeout_secs >= 1 AND timeout_secs <= 86400),
    constraint jobs_version_check CHECK (version >= 1)
);
CREATE INDEX jobs_by_project ON jobs USING btree (project_id, created_at, id);
alter table jobs enable row level security;
create policy of_project on jobs using ((project_id = NULLIF(current_setting('app.current_project_id'::text, true), ''::text)));

create table leases (
    id bigint not null generated always as identity,
    worker_id uuid not null,
    run_ids uuid[] not null,
    claimed_at timestamp with time zone not null default now(),
    constraint leases_pkey PRIMARY KEY (id)
) with (autovacuum_vacuum_cost_delay=0, autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=5000, fillfactor=80);
CREATE INDEX leases_by_worker ON leases USING btree (worker_id);

create table outbox (
    id bigint not null generated always as identity,
    fact text not null,
    body json not null,
    recorded_by xid8 not null default pg_current_xact_id(),
    recorded_at timestamp with time zone not null default now(),
    constraint outbox_pkey PRIMARY KEY (id)
);

create table project_quotas (
    project_id text not null,
    max_queued_runs integer not null default 0,
    max_executing_runs integer not null default 0,
    max_jobs integer not null default 0,
    rate_limit_requests integer not null default 0,
    rate_limit_window_secs integer not null default 0,
    updated_at timestamp with time zone not null default now(),
    constraint project_quotas_pkey PRIMARY KEY (project_id),
    constraint project_quotas_project_id_fkey FOREIGN KEY (project_id) REFERENCES projects(id),
    constraint project_quotas_max_executing_runs_check CHECK (max_executing_runs >= 0),
    constraint project_quotas_max_jobs_check CHECK (max_jobs >= 0),
    constraint project_quotas_max_queued_runs_check CHECK (max_queued_runs >= 0),
    constraint project_quotas_rate_limit_requests_check CHECK (rate_limit_requests >= 0),
    constraint project_quotas_rate_limit_window_secs_check CHECK (rate_limit_window_secs >= 0)
);
alter table project_quotas enable row level security;
create policy of_project on project_quotas using ((project_id = NULLIF(current_setting('app.current_project_id'::text, true), ''::text)));

create table projects (
    id text not null,
    org_id text not null,
    name text not null,
    timezone text not null default 'UTC'::text,
    created_at timestamp with time zone not null default now(),
    updated_at timestamp with time zone not null default now(),
    deleted_at timestamp with time zone,
    default_region text not null default ''::text,
    constraint projects_pkey PRIMARY KEY (id),
    constraint projects_default_region_check CHECK (length(default_region) <= 64),
    constraint projects_id_check CHECK (length(id) >= 1 AND length(id) <= 64),
    constraint projects_name_check CHECK (length(name) >= 2 AND length(name) <= 255)
);
alter table projects enable row level security;
create policy of_project on projects using ((id = NULLIF(current_setting('app.current_project_id'::text, true), ''::text)));

create table queue (
    ord bigint not null default ((EXTRACT(epoch FROM clock_timestamp()) * (1000000)::numeric))::bigint,
    priority smallint not null,
    run_id uuid not null,
    job_id uuid not null,
    project_id text not null,
    expires_at timestamp with time zone,
    metered boolean not null default false
) with (autovacuum_vacuum_cost_delay=0, autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=20000, fillfactor=80);
CREATE INDEX queue_by_project ON queue USING btree (project_id, run_id);
CREATE INDEX queue_in_order ON queue USING btree (priority, ord);
alter table queue enable row level security;
create policy of_project on queue using ((project_id = NULLIF(current_setting('app.current_project_id'::text, true), ''::text)));

create table rate_limit_buckets (
    scope text not null,
    leaves_at timestamp with time zone not null,
    admitted integer not null,
    constraint rate_limit_buckets_pkey PRIMARY KEY (scope, leaves_at)
);
CREATE INDEX rate_limit_buckets_by_age ON rate_limit_buckets USING btree (leaves_at);
alter table rate_limit_buckets enable row level security;
create policy of_job on rate_limit_buckets using ((EXISTS ( SELECT
   FROM jobs
  WHERE (jobs.id = (SUBSTRING(rate_limit_buckets.scope FROM 5 FOR 36))::uuid))));

create table run_events (
    id uuid not null,
    run_id uuid not null,
    type text not null,
    level text not null,
    message text not null default ''::text,
    data json,
    attempt integer,
    created_at timestamp with time zone not null default now(),
    project_id text not null,
    constraint run_events_pkey PRIMARY KEY (id)
) partition by RANGE (id);
CREATE INDEX run_events_by_run ON ONLY run_events USING btree (run_id, id);
alter table run_events enable row level security;
create policy of_project on run_events using ((project_id = NULLIF(current_setting('app.current_project_id'::text, true), ''::text)));

create table run_events_default partition of run_events default;

create table run_payloads (
    run_id uuid not null,
    payload json not null,
    project_id text not null,
    constraint run_payloads_pkey PRIMARY KEY (run_id)
) partition by RANGE (run_id);
alter table run_payloads enable row level security;
create policy of_project on run_payloads using ((project_id = NULLIF(current_setting('app.current_project_id'::text, true), ''::text)));

create table run_payloads_default partition of run_payloads default;

create table runs (
    id uuid not null,
    project_id text not null,
    job_id uuid not null,
    status text not null,
    attempt integer not null default 1,
    priority smallint not null default 0,
    gated boolean not null default false,
    lineage_depth smallint not null default 0,
    debug_mode boolean not null default false,
    job_version integer not null,
    lease_id bigint,
    created_at timestamp with time zone not null default now(),
    updated_at timestamp with time zone not null default now(),
    queued_at timestamp with time zone,
    scheduled_at timestamp with time zone,
    next_retry_at timestamp with time zone,
    started_at timestamp with time zone,
    heartbeat_at timestamp with time zone,
    finished_at timestamp with time zone,
    expires_at timestamp with time zone,
    job_version_id text,
    triggered_by text not null default 'manual'::text,
    created_by text,
    concurrency_key text,
    idempotency_key text,
    batch_id uuid,
    parent_run_id uuid,
    replay_of uuid,
    tags jsonb,
    metadata jsonb,
    result json,
    error text,
    error_class text,
    trace integer[],
    moves bigint[] not null default '{}'::bigint[],
    constraint runs_pkey PRIMARY KEY (id),
    constraint runs_attempt_check CHECK (attempt >= 1),
    constraint runs_check CHECK ((finished_at IS NOT NULL) = (status = ANY (ARRAY['completed'::text, 'failed'::text, 'timed_out'::text, 'crashed'::text, 'system_failed'::text, 'canceled'::text, 'expired'::text, 'dead_letter'::text]))),
    constraint runs_concurrency_key_check CHECK (length(concurrency_key) <= 256),
    constraint runs_idempotency_key_check CHECK (length(idempotency_key) <= 256),
    constraint runs_priority_check CHECK (priority >= 0 AND priority <= 10),
    constraint runs_status_check CHECK (status = ANY (ARRAY['delayed'::text, 'queued'::text, 'dequeued'::text, 'executing'::text, 'waiting'::text, 'completed'::text, 'failed'::text, 'timed_out'::text, 'crashed'::text, 'system_failed'::text, 'canceled'::text, 'expired'::text, 'dead_letter'::text, 'replay_staged'::text, 'paused'::text]))
) partition by RANGE (id);
CREATE INDEX runs_by_batch ON ONLY runs USING btree (batch_id, id) WHERE batch_id IS NOT NULL;
CREATE INDEX runs_by_job ON ONLY runs USING btree (job_id, id);
CREATE INDEX runs_by_parent ON ONLY runs USING btree (parent_run_id, id) WHERE parent_run_id IS NOT NULL;
CREATE INDEX runs_by_project ON ONLY runs USING btree (project_id, id);
alter table runs enable row level security;
create policy of_project on runs using ((project_id = NULLIF(current_setting('app.current_project_id'::text, true), ''::text)));

create table runs_default partition of runs default;

create table scheduled (
    run_id uuid not null,
    due_at timestamp with time zone not null,
    reason text not null,
    priority smallint not null,
    job_id uuid not null,
    project_id text not null,
    expires_at timestamp with time zone,
    metered boolean not null default false,
    gate text,
    next_gate text,
    constraint scheduled_pkey PRIMARY KEY (run_id),
    constraint scheduled_reason_check CHECK (reason = ANY (ARRAY['delay'::text, 'retry'::text, 'snooze'::text, 'window'::text]))
);
CREATE INDEX scheduled_by_job ON scheduled USING btree (job_id);
CREATE INDEX scheduled_by_project ON scheduled USING btree (project_id);
CREATE INDEX scheduled_by_time ON scheduled USING btree (due_at);
alter table scheduled enable row level security;
create policy of_project on scheduled using ((project_id = NULLIF(current_setting('app.current_project_id'::text, true), ''::text)));

create table secrets (
    id uuid not null,
    project_id text not null,
    job_id uuid,
    environment text not null default 'production'::text,
    secret_key text not null,
    sealed text not null,
    key_version integer not null default 1,
    created_at timestamp with time zone not null default now(),
    updated_at timestamp with time zone not null default now(),
    constraint secrets_pkey PRIMARY KEY (id),
    constraint secrets_job_id_fkey FOREIGN KEY (job_id) REFERENCES jobs(id) ON DELETE CASCADE,
    constraint secrets_project_id_fkey FOREIGN KEY (project_id) REFERENCES projects(id),
    constraint secrets_key_version_check CHECK (key_version >= 1),
    constraint secrets_secret_key_check CHECK (secret_key ~ '^[A-Za-z_][A-Za-z0-9_]*$'::text AND length(secret_key) <= 128)
);
CREATE UNIQUE INDEX secrets_by_name ON secrets USING btree (project_id, environment, COALESCE(job_id, '00000000-0000-0000-0000-000000000000'::uuid), secret_key);
alter table secrets enable row level security;
create policy of_project on secrets using ((project_id = NULLIF(current_setting('app.current_project_id'::text, true), ''::text)));

create table slots (
    run_id uuid not null,
    gate text not null,
    since timestamp with time zone not null default now(),
    project_id text not null,
    constraint slots_pkey PRIMARY KEY (run_id, gate)
);
CREATE INDEX slots_by_gate ON slots USING btree (gate);
alter table slots enable row level security;
create policy of_project on slots using ((project_id = NULLIF(current_setting('app.current_project_id'::text, true), ''::text)));

create table unsuccessful_runs (
    run_id uuid not null,
    project_id text not null,
    job_id uuid not null,
    status text not null,
    finished_at timestamp with time zone not null default now(),
    constraint unsuccessful_runs_pkey PRIMARY KEY (run_id)
);
CREATE INDEX unsuccessful_runs_by_job ON unsuccessful_runs USING btree (job_id, status, run_id);
CREATE INDEX unsuccessful_runs_by_project ON unsuccessful_runs USING btree (project_id, status, run_id);
alter table unsuccessful_runs enable row level security;
create policy of_project on unsuccessful_runs using ((project_id = NULLIF(current_setting('app.current_project_id'::text, true), ''::text)));

create table workers (
    id uuid not null,
    lock_id bigint not null,
    host text not null,
    pid integer not null,
    concurrency integer not null,
    started_at timestamp with time zone not null default now(),
    alive_until timestamp with time zone not null,
    constraint workers_pkey PRIMARY KEY (id),
    constraint workers_lock_id_key UNIQUE (lock_id)
);

CREATE OR REPLACE FUNCTION public.ensure_run_partitions(ahead integer)
 RETURNS integer
 LANGUAGE plpgsql
AS $function$
declare
    parent  text;
    month   timestamptz;
    part    text;
    created integer := 0;
begin
    perform pg_advisory_xact_lock(hashtextextended('ensure_run_partitions', 0));
    foreach parent in array array['runs', 'run_payloads', 'run_events'] loop
        for month in
            select generate_series(
                date_trunc('month', now() at time zone 'UTC') - interval '1 month',
                date_trunc('month', now() at time zone 'UTC') + make_interval(months => ahead),
                interval '1 month') at time zone 'UTC'
        loop
            part := parent || to_char(month at time zone 'UTC', '_YYYY_MM');
            if to_regclass(part) is null then
                execute format(
                    'create table %I partition of %I for values from (%L) to (%L)',
                    part, parent, id_floor(month),
                    id_floor((month at time zone 'UTC' + interval '1 month') at time zone 'UTC'));
                if parent = 'runs' then
                    execute format('alter table %I set (fillfactor = 40, autovacuum_vacuum_scale_factor = 0.05)', part);
                end if;
                created := created + 1;
            end if;
        end loop;
    end loop;
    return created;
end
$function$;

CREATE OR REPLACE FUNCTION public.grant_to_tenants()
 RETURNS boolean
 LANGUAGE plpgsql
AS $function$
begin
    perform pg_advisory_xact_lock(hashtextextended('strait.tenants', 0));
    if to_regrole('strait_tenant') is null then
        begin
            create role strait_tenant nologin;
        exception when duplicate_object or unique_violation then
            null;
        end;
    end if;
    if not pg_has_role(
        session_user, 'strait_tenant',
        case when current_setting('server_version_num')::integer >= 160000 then 'SET' else 'MEMBER' end)
    then
        begin
            execute format('grant strait_tenant to %I', session_user);
        exception when unique_violation then
            null;
        end;
    end if;
    if not has_schema_privilege('strait_tenant', current_schema(), 'usage') then
        execute format('grant usage on schema %I to strait_tenant', current_schema());
    end if;
    grant select, update on projects to strait_tenant;
    grant select, insert, update on project_quotas, api_keys to strait_tenant;
    grant select, insert, update, delete on secrets, jobs to strait_tenant;
    grant select, insert, update on runs, run_payloads to strait_tenant;
    grant select on run_events, batch_operations, leases, workers to strait_tenant;
    grant select, insert, delete on queue, slots, unsuccessful_runs to strait_tenant;
    grant select, insert, update, delete on scheduled, blocked, idempotency_keys to strait_tenant;
    grant select, insert, update on rate_limit_buckets to strait_tenant;
    grant insert on outbox to strait_tenant;
    return true;
exception when insufficient_privilege then
    return false;
end
$function$;

CREATE OR REPLACE FUNCTION public.id_floor(at timestamp with time zone)
 RETURNS uuid
 LANGUAGE sql
 IMMUTABLE STRICT
AS $function$
    select (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || '70008000000000000000')::uuid
$function$;

CREATE OR REPLACE FUNCTION public.key_gate(project_id text, key text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE STRICT
AS $function$
    select 'key:' || length(project_id)::text || ':' || project_id || ':' || key
$function$;

CREATE OR REPLACE FUNCTION public.run_move(micros bigint, status text)
 RETURNS bigint
 LANGUAGE sql
 IMMUTABLE STRICT
AS $function$
    select micros * 16 + array_position(array[
        'delayed', 'queued', 'dequeued', 'executing', 'waiting', 'completed', 'failed', 'timed_out', 'crashed',
        'system_failed', 'canceled', 'expired', 'dead_letter', 'replay_staged', 'paused'], status) - 1
$function$;
