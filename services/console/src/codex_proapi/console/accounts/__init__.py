"""Adds ChatGPT accounts, by browser, pasted address, device code or auth.json, and tests them.

Belongs here: the four ways of signing in, pending logins in Redis, the connection test of an
account. Does not belong here: HTTP routes (`api`), and accounts themselves (`commons.accounts`).
"""
