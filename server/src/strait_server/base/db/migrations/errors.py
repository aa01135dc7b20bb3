"""What can go wrong with the schema.

StraitError
├── BadMigration           a file is not written as the runner needs it
├── SchemaMismatch         the database is not what these files lead to
├── MigrationFailed        PostgreSQL refused a statement
└── Unavailable
    └── MigrationLocked    somebody else migrates, and takes long
"""

from strait_server.base.errors import StraitError, Unavailable


class BadMigration(StraitError):
    """A migration file is not written as the runner needs it."""

    code = "migration_malformed"


class SchemaMismatch(StraitError):
    """The database is not what the migrations lead to."""

    code = "migration_mismatch"


class MigrationFailed(StraitError):
    """PostgreSQL refused a statement of a migration."""

    code = "migration_failed"


class MigrationLocked(Unavailable):
    """Somebody else migrates, and takes long."""

    code = "migration_locked"
