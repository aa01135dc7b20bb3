"""The schema as text: `schema.sql` (style 5)."""

import asyncpg
from base.db.embedded.machine import a_home_of_another_version

from strait_server.base.db.embedded import server as embedded
from strait_server.base.db.migrations.files import load_migrations
from strait_server.base.db.migrations.runner import migrate
from strait_server.base.db.migrations.snapshot import dump_schema

EVERYTHING = """
create extension btree_gist;
create sequence tickets as integer increment 5;
create function touch() returns trigger language plpgsql as $$begin return new; end$$;
create table "order" (
    id     bigint generated always as identity primary key,
    code   text collate "C" not null unique,
    net    numeric(10,2) default 0 check (net >= 0),
    gross  numeric(10,2) generated always as (net * 1.19) stored,
    parent bigint references "order" on delete cascade,
    during tstzrange,
    exclude using gist (parent with =, during with &&)
) with (fillfactor = 70);
create index order_by_net on "order" (net desc) where net > 0;
create trigger touched before update on "order" for each row execute function touch();
create table logs (id bigint primary key, line text) partition by range (id);
create index logs_by_line on logs (line);
create table logs_2026 partition of logs for values from (0) to (9);
create table logs_default partition of logs default with (fillfactor = 60);
create view cheap as select id from "order" where net < 10;
"""
AS_TEXT = """\
-- The schema that the migrations lead to. Generated: do not edit.

create extension btree_gist;

create sequence tickets as integer start 1 increment 5 minvalue 1 maxvalue 2147483647 cache 1;

create table logs (
    id bigint not null,
    line text,
    constraint logs_pkey PRIMARY KEY (id)
) partition by RANGE (id);
CREATE INDEX logs_by_line ON ONLY logs USING btree (line);

create table logs_default partition of logs default with (fillfactor=60);

create table "order" (
    id bigint not null generated always as identity,
    code text collate "C" not null,
    net numeric(10,2) default 0,
    gross numeric(10,2) generated always as ((net * 1.19)) stored,
    parent bigint,
    during tstzrange,
    constraint order_pkey PRIMARY KEY (id),
    constraint order_code_key UNIQUE (code),
    constraint order_parent_fkey FOREIGN KEY (parent) REFERENCES "order"(id) ON DELETE CASCADE,
    constraint order_parent_during_excl EXCLUDE USING gist (parent WITH =, during WITH &&),
    constraint order_net_check CHECK (net >= 0::numeric)
) with (fillfactor=70);
CREATE INDEX order_by_net ON "order" USING btree (net DESC) WHERE net > 0::numeric;
CREATE TRIGGER touched BEFORE UPDATE ON "order" FOR EACH ROW EXECUTE FUNCTION touch();

CREATE OR REPLACE FUNCTION public.touch()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$begin return new; end$function$;

create view cheap as
 SELECT id
   FROM "order"
  WHERE net < 10::numeric;
"""


async def test_everything_is_described_in_a_fixed_order(raw):
    await raw.execute(EVERYTHING)

    assert await dump_schema(raw) == AS_TEXT


async def test_the_partitions_of_a_month_are_not_part_of_the_schema(raw):
    await raw.execute("create table logs (id bigint) partition by range (id)")
    before = await dump_schema(raw)

    await raw.execute("create table logs_2026 partition of logs for values from (0) to (9)")

    assert await dump_schema(raw) == before


async def test_an_index_that_failed_to_build_is_marked(raw):
    await raw.execute("create table a (id int); create index b on a (id)")
    await raw.execute("update pg_index set indisvalid = false where indexrelid = 'b'::regclass")

    assert "-- invalid\nCREATE INDEX b" in await dump_schema(raw)


async def test_the_bookkeeping_is_not_part_of_the_schema(raw):
    await migrate(raw, load_migrations(), lock_seconds=1)

    assert "schema_migrations" not in await dump_schema(raw)


async def test_our_schema_reads_the_same_on_another_version_of_postgresql(raw):
    with a_home_of_another_version() as home:
        server = embedded.start(home, log=lambda _: None)
        try:
            other = await asyncpg.connect(server.dsn)
            texts = []
            for connection in (raw, other):
                await migrate(connection, load_migrations(), lock_seconds=1)
                texts.append(await dump_schema(connection))
            await other.close()
        finally:
            server.stop()

    assert texts[0] == texts[1]
