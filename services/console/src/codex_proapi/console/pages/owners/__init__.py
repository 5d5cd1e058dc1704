"""Pages about owners of accounts: the administrator's list, and an owner's own page and entry.

Does not belong here: what changes anything (`api.owners`), values for pages (`views.owners`).
"""
