"""Everything that is sent to the backend: transports for exchanges, and calls about accounts.

The HTTP client, the transport protocol, and the requests for models and quota. What a refusal
means is `policy`; who is asked is `pool`; what the bytes of an answer mean is `formats`.
"""
