"""The life of one request: its facts, failover between accounts, the answer, its settlement.

Here belongs what follows a request from its key to its record. Which account is asked is decided in
`pool`, what a refusal allows in `policy`; nothing here knows a dialect or imports `api`.
"""
