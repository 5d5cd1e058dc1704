"""Accounts as a pool: which one serves an exchange, and what its outcome means for the others.

Leases, the concurrency queue, circuit breakers, cooldowns, the retry budget, the egress pause, and
the affinity of conversations and encrypted items. How an account is chosen from what is known is
`commons.balancing`; what a refusal means is `policy`; sending is `upstream`.
"""
