"""Accounts, their kinds, and what is stored for each: credentials, cooldowns, quota windows.

Here: the model, the kinds, the stores, the refresh of credentials. Not here: choosing an account
(`commons.balancing`, `gateway.pool`), signing in (`console.accounts`).
"""
