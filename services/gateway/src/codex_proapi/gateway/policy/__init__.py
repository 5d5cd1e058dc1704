"""Pure decisions about refusals: the next attempt, changes to the request, the client's error.

No clock, no ids, no input or output; the caller passes the time. Recording outcomes of accounts
is `pool`.
"""
