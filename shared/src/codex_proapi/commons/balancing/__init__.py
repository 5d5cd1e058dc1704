"""Selects the account of the next attempt, with the reason: pure functions of one snapshot.

Here: candidates, the choice, its explanation. No clock, no ids, no Redis. Not here: reading the
snapshot, leases and refreshes (`gateway.pool`).
"""
