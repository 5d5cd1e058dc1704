"""Routes of owners of accounts: the administrator's, and those that owners themselves use.

Belongs here: handlers and their bodies. Does not belong here: who an owner is (`console.owners`).
"""
