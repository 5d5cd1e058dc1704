"""Health of accounts and of the egress address, as attempts have shown it.

Circuit breakers, outcomes with their cooldowns, the retry budget and the egress pause. Selecting by
them is the folder above; what a refusal means is `policy`.
"""
