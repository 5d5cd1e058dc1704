"""Routes of the administrator himself: signing in, admin tokens, the audit.

Does not belong here: how any of it works (`codex_proapi.console.auth`).
"""
