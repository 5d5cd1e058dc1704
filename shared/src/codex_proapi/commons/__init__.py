"""What the gateway, the console and the tools share: accounts, keys, usage, the backend's facts.

A module belongs here while two members use it themselves; what one member alone uses belongs to
that member. Nothing here knows a web framework, and nothing here decides how a request is
translated, retried or shown. What touches Redis is a *store*; the rest takes and gives values.
"""
