"""What attempts have shown, for those that follow: of accounts, of our address, and of the load upstream.

Circuit breakers, outcomes with their cooldowns, the retry budget and the egress pause. Selecting by
them is the folder above; what a refusal means is `policy`.
"""
