"""HTTP/1.1 as both services speak it: connections with deadlines and bounds, the server, its drain.

What depends on an application (routes, error bodies, the figures of the limits) is passed in by the
services' own `server` packages.
"""
