"""Owners of accounts: their records, invitations and sessions, and what they have agreed to.

Belongs here: who an owner is, how a browser becomes his, the wording of the consent. Does not belong
here: routes and pages (`api.owners`, `pages`), the terms themselves (`commons.accounts`).
"""
