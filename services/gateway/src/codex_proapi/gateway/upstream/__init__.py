"""Everything that is sent to the backend: transports for exchanges, and calls about accounts.

The HTTP client, the transport protocol, and the requests for models and quota. What a refusal
means is `policy`; selecting an account is `pool`; parsing the bytes of an answer is `formats`.
"""
