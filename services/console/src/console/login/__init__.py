"""Four ways to sign an account in: browser redirect, pasted callback, device code, auth.json.

All end in the same place, and every state between begin and finish lives in Redis, so that any
replica can finish what another began. Nothing here knows a web framework.
"""
