"""The administrator: password, setup token, sessions, tokens for scripts, attempts, audit.

Nothing here knows a web framework; `web/visit.py` asks these who a visitor is.
"""
