"""The gateway's HTTP API: paths, the router, one endpoint for each dialect, models, usage, health.

Here belongs what is said over HTTP. How a request is served belongs in `exchange`, what its bytes
mean in `formats` and `translation`, connections and bodies in `server`.
"""
