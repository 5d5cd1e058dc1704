"""Who asks, and what is kept of it: administrator, sessions, admin tokens, attempts, audit.

Belongs here: how a request's sender is known and refused, and the stores for it. Does not belong
here: host names, proxies and response headers (`server`), sign-in routes (`api.sign_in`).
"""
