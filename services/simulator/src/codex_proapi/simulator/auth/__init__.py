"""The simulated authorization server: browser login, token endpoint, device codes, revocation.

Codes and tokens themselves are kept in `state.logins`.
"""
