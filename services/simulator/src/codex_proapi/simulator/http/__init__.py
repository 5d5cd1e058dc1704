"""What both simulated servers need of HTTP: bearer tokens, request bodies, replies, broken connections.

No route stands here.
"""
