"""Limits of API keys: charges, budgets, stream permits, and what a key is told of its quota.

The limits themselves, and fair shares of a scarce pool, are `commons.api_keys`; the script that
checks them is part of the pool's snapshot.
"""
