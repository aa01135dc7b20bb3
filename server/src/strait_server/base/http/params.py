"""What a route may ask for: the words for its parameters.

`db: Db` is a pooled connection, `data: JSONBody[CreateThing]` the checked body,
`page: Paging` where in a list the caller is; the rest are plain parameters of
path and query.
"""

import re
from typing import Annotated, Final, Literal, TypeAlias, TypeVar

from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.params import (
    BodyKwarg,
    PathParameter,
    QueryParameter,
    SkipValidation,
)
from msgspec import Meta

from strait_server.base.db.connection import Connection
from strait_server.base.http.pages import PageRequest

T = TypeVar("T")

Db: TypeAlias = NamedDependency[SkipValidation[Connection]]
Paging: TypeAlias = NamedDependency[SkipValidation[PageRequest]]
JSONBody: TypeAlias = Annotated[SkipValidation[T], BodyKwarg(media_type=RequestEncodingType.JSON)]
FromPath: TypeAlias = Annotated[T, PathParameter()]
FromQuery: TypeAlias = Annotated[T, QueryParameter()]

# Every number in a body has a limit: PostgreSQL's integers do (T118d).
Count: TypeAlias = Annotated[int, Meta(ge=0, le=2_147_483_647)]
Flag: TypeAlias = Literal["true", "false", "1", "0", "t", "f"]

_ARRAY_MARK: Final = re.compile(rb"(?:\[\]|%5B%5D)(?==)", re.IGNORECASE)


def is_set(flag: Flag | None) -> bool:
    """Read a boolean of a query; absent means no."""
    return flag in {"true", "1", "t"}


def without_array_marks(query: bytes) -> bytes:
    """Spell `name[]=v` as `name=v`: both repeat a parameter (api 1.2)."""
    return _ARRAY_MARK.sub(b"", query)
