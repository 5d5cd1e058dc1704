"""Outgoing connections: addresses of hosts, the race between them, TLS, a proxy on the way, their pace.

Both clients use it, the one of streams and httpx. What is sent over a connection is not known here.
"""
