"""PostgreSQL: connections, named queries, group commit, migrations, an embedded server.

It knows SQL and transactions, and not one table of the rooms above.
"""
