"""What a project may be called, and which time zones there are (behaviour 13.10)."""

import pytest

from strait_server.base.errors import Invalid
from strait_server.tenancy.projects.rules import check_id, check_timezone


@pytest.mark.parametrize("project_id", ["p", "proj_1", "a.b-c:d", "x" * 64, "Projekt 7", "."])
def test_an_id_stands_in_a_path(project_id):
    check_id(project_id)


@pytest.mark.parametrize("project_id", ["", "x" * 65, "a/b", "..", "a..b", "a\0b", "a\nb", "\x7f"])
def test_what_cannot_stand_in_a_path_is_no_id(project_id):
    with pytest.raises(Invalid):
        check_id(project_id)


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "America/New_York"])
def test_a_time_zone_has_a_name(name):
    check_timezone(name)


@pytest.mark.parametrize(
    "name",
    ["", "Berlin", "../../etc/passwd", "America", "UTC\0", "a" * 5000, "localtime", "Factory"],
)
def test_any_other_name_is_refused(name):
    with pytest.raises(Invalid):
        check_timezone(name)
