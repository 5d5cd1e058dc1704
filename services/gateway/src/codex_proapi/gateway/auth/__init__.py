"""API keys: which key a request shows, whether it may be served, and the end of a revoked one.

Here belongs who a client is. What a key may spend belongs in `limits`, where keys are stored in
`commons.api_keys`.
"""
