"""Pure decisions about refusals: what is tried next, what is changed, what the client is told.

No clock, no ids, no input or output; whoever asks brings the time. Keeping the consequences for
an account is `pool`.
"""
