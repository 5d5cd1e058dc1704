"""Which account is asked next, and why: pure decisions from one snapshot of the pool.

Here: candidates, the choice, its explanation. No clock, no ids, no Redis. Not here: reading the
snapshot, leases and refreshes (`gateway.pool`).
"""
