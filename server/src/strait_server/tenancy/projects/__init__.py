"""Who owns what, and how much of it.

A project is the wall between tenants: everything else belongs to exactly one.
It is created by an operator with an id of his choosing, deleted softly, and
may come back. Quotas are numbers that belong to a project; the rooms above
hold their actions against them. Who may act in a project is the business of `access`.
"""
