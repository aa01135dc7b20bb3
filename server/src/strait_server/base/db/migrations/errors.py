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
    code = "migration_malformed"


class SchemaMismatch(StraitError):
    code = "migration_mismatch"


class MigrationFailed(StraitError):
    code = "migration_failed"


class MigrationLocked(Unavailable):
    code = "migration_locked"
