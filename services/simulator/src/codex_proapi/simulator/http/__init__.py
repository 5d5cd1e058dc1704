"""HTTP for both simulated servers: bearer tokens, request bodies, replies, broken connections.

No route stands here.
"""
