"""Authentication of the console: administrator, sessions, admin tokens, attempts, audit.

Belongs here: how a request's sender is authenticated, and the stores for it. Does not belong
here: host names, proxies and response headers (`server`), sign-in routes (`api.sign_in`).
"""
