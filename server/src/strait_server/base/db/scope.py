"""The scope of a connection: the owner's, who meets every row, or that of one project.

In the scope of a project statements run as the role `strait_tenant`. Policies
let it meet the rows of that project only, whatever a statement forgets to ask
for (behaviour 13.10, T114, ADR 0006).
"""

from typing import Final

import asyncpg
from asyncpg.pool import PoolConnectionProxy
from msgspec import Struct

from strait_server.base.db.connection import Connection
from strait_server.base.db.queries import Query

_PIN_NAMES: Final = """
    select set_config('search_path', array_to_string(array(
        select quote_ident(name) from unnest(current_schemas(false)) as name), ', '), false)
"""
_ENTER: Final = """
    select set_config('role', 'strait_tenant', false),
        set_config('app.current_project_id', $1, false)
"""
_LEAVE: Final = """
    select set_config('role', 'none', false), set_config('app.current_project_id', '', false)
"""
_STANDING: Final = Query(
    "standing",
    """
    select to_regproc('grant_to_tenants') is not null as has_policies,
        tenant.oid is not null as has_role,
        coalesce(
            pg_has_role(session_user, tenant.oid, case
                when current_setting('server_version_num')::integer >= 160000 then 'SET'
                else 'MEMBER'
            end), false) as is_member,
        coalesce(has_table_privilege(tenant.oid, to_regclass('outbox'), 'insert'), false)
            as is_granted,
        quote_ident(session_user) as login,
        (
            select quote_ident(pg_get_userbyid(relowner))
            from pg_class
            where relnamespace = current_schema()::regnamespace
              and relrowsecurity
              and row_security_active(pg_class.oid)
            limit 1
        ) as hidden_by
    from (select) as always
    left join pg_roles as tenant on tenant.rolname = 'strait_tenant'
    """,
    (),
)
_GRANT: Final = Query("grant", "select grant_to_tenants()", ())


class Standing(Struct, frozen=True, kw_only=True):
    """What there is of the wall between projects, for the user who is logged in.

    `hidden_by` owns tables whose rows this user does not meet at all.
    """

    has_policies: bool
    has_role: bool
    is_member: bool
    is_granted: bool
    login: str
    hidden_by: str | None

    @property
    def is_whole(self) -> bool:
        """Whether connections can be put into the scope of a project."""
        return self.is_member and self.is_granted

    @property
    def remedy(self) -> str:
        """What a superuser has to run, so that we can do the rest."""
        make = "" if self.has_role else "create role strait_tenant nologin; "
        return f"{make}grant strait_tenant to {self.login};"


class ScopedConnection(asyncpg.Connection):  # type: ignore[misc]  # the driver has no types
    """A connection that knows in whose scope it stands, and asks only to change it."""

    _project_id: str | None = None
    _is_sure: bool = True

    async def enter(self, project_id: str | None) -> None:
        """Stand in the scope of a project; None: of the owner. Not within a transaction.

        If that fails or is cancelled, nobody knows where we stand, and whoever
        enters next asks anew.
        """
        if self._is_sure and self._project_id == project_id:
            return
        self._is_sure = False
        if project_id is None:
            await self.fetchrow(_LEAVE)
        else:
            await self.fetchrow(_ENTER, project_id)
        self._project_id, self._is_sure = project_id, True


async def pin_names(raw: asyncpg.Connection) -> None:
    """Let names mean in every scope what they mean to the owner: `"$user"` is another in each."""
    await raw.execute(_PIN_NAMES)


async def standing(raw: asyncpg.Connection | PoolConnectionProxy) -> Standing:
    """Look at the wall."""
    found = await Connection(raw).row(Standing, _STANDING)
    assert found is not None  # noqa: S101 - a select from nothing has a row
    return found


async def complete(raw: asyncpg.Connection) -> Standing:
    """Do what the wall lacks, as far as this user may, and look at it."""
    before = await standing(raw)
    if not before.has_policies or before.is_whole:
        return before
    await Connection(raw).row(bool, _GRANT)
    return await standing(raw)
