"""Which scopes a key can be given, and how long it works on (behaviour 13.2, 13.3)."""

from datetime import timedelta

import pytest
import world

from strait_server.base.errors import Forbidden, Invalid
from strait_server.tenancy.access.model import SCOPES
from strait_server.tenancy.access.rules import check_covers, check_grace, granted


def test_nobody_grants_what_he_does_not_hold():
    """T109."""
    maker = world.an_actor("api-keys:manage", "jobs:read")

    assert granted(maker, ["jobs:read"]) == ("jobs:read",)
    with pytest.raises(Forbidden, match="insufficient permissions: requires jobs:write"):
        granted(maker, ["jobs:read", "jobs:write"])


def test_everything_can_only_be_granted_by_who_holds_everything():
    """T109."""
    with pytest.raises(Forbidden):
        granted(world.an_actor(*(SCOPES - {"*"})), ["*"])

    assert granted(world.an_actor("*"), ["*"]) == ("*",)


def test_a_key_without_scopes_gets_everything_and_says_so():
    assert granted(world.an_actor("*"), None) == ("*",)


def test_a_key_without_scopes_needs_a_maker_who_has_everything():
    """T109."""
    with pytest.raises(Forbidden):
        granted(world.an_actor("api-keys:manage"), None)


def test_an_empty_list_of_scopes_is_refused():
    """T108: it would be a key to nothing, and once was one to everything."""
    with pytest.raises(Invalid, match="scopes must not be empty"):
        granted(world.an_actor("*"), [])


def test_a_scope_nobody_knows_is_refused():
    with pytest.raises(Invalid, match="unknown scope: jobs:delete"):
        granted(world.an_actor("*"), ["jobs:read", "jobs:delete"])


def test_a_scope_is_granted_once():
    assert granted(world.an_actor("*"), ["runs:read", "jobs:read", "runs:read"]) == (
        "runs:read",
        "jobs:read",
    )


def test_an_actor_without_scopes_covers_nothing():
    """T108."""
    nobody = world.an_actor("jobs:read")

    check_covers(nobody, [])
    with pytest.raises(Forbidden):
        check_covers(nobody, ["runs:read"])


def test_the_grace_is_an_hour_unless_said_and_a_week_at_most():
    assert check_grace(None) == timedelta(hours=1)
    assert check_grace(timedelta(0)) == timedelta(0)
    assert check_grace(timedelta(minutes=10_080)) == timedelta(days=7)
    with pytest.raises(Invalid, match="at most 10080"):
        check_grace(timedelta(minutes=10_081))
