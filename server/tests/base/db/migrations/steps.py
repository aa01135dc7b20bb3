"""Small migrations to apply."""

from strait_server.base.db.migrations.files import parse


def a_file(number, body, *, name="step", mark="-- migrate:up"):
    return parse(f"{number:04}_{name}.sql", f"-- base: a test\n{mark}\n{body}\n")


def outside(number, body):
    return a_file(number, body, mark="-- migrate:up transaction:false")


ONE = a_file(1, "create table one (id int primary key);", name="one")
TWO = a_file(2, "create table two (id int references one); insert into one values (7);", name="two")


async def tables(raw):
    return await raw.fetchval(
        """
        select coalesce(array_agg(relname::text order by relname), '{}') from pg_class
        where relkind = 'r' and relnamespace = 'public'::regnamespace
        """
    )
