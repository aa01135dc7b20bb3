"""What can go wrong with a database of our own."""

from strait_server.base.errors import StraitError


class EmbeddedFailed(StraitError):
    """The embedded PostgreSQL cannot run; `problems` are the last lines it said."""

    code = "embedded_database_failed"


class OtherMajor(EmbeddedFailed):
    """The data was written by a major version whose binaries are not here."""

    code = "embedded_database_version"
