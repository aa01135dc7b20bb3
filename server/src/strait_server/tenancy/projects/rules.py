"""What a project may be called, and which time zones there are."""

import re
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from strait_server.base.errors import Invalid
from strait_server.tenancy.projects.model import ID

_LOCAL_ZONES: Final = frozenset({"localtime", "posixrules", "Factory"})  # another on each machine
_ID: Final = re.compile(ID)


def check_id(project_id: str) -> None:
    """Raise `Invalid` unless the id can stand in a path."""
    if not _ID.fullmatch(project_id):
        raise Invalid(
            "validation failed",
            problems=["id: 1 to 64 characters without '/', '..' and control characters"],
        )


def check_timezone(name: str) -> None:
    """Raise `Invalid` unless it is the name of a time zone."""
    if not _is_zone(name):
        raise Invalid(
            "validation failed",
            problems=["timezone: must be the name of a time zone, such as Europe/Berlin"],
        )


def _is_zone(name: str) -> bool:
    if name in _LOCAL_ZONES:
        return False
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
