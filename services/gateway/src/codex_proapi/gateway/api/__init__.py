"""The gateway's HTTP API: paths, the router, one endpoint for each dialect, models, usage, health.

Here belong routes and their HTTP responses. Serving a request is `exchange`, the wire formats are
`formats` and `translation`, connections and bodies are `server`.
"""
