"""HTTP/1.1 for both services: connections with deadlines and bounds, the server, its drain.

Belongs here: also what a request's headers say of the proxies it came through. Not here: what depends
on an application (routes, error bodies, limits), which the services' `server` packages pass in.
"""
