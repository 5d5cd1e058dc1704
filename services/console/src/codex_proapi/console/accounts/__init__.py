"""Bringing a ChatGPT account in: browser, pasted address, device code, auth.json; and testing it.

Belongs here: the four ways of signing in, pending logins in Redis, the connection test of an
account. Does not belong here: HTTP routes (`api`), and accounts themselves (`commons.accounts`).
"""
