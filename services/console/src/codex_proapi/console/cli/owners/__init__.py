"""The commands of owners of accounts.

Does not belong here: who an owner is (`console.owners`).
"""
