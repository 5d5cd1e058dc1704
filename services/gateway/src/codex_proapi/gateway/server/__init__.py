"""The process' edge: connections with deadlines, uvicorn and drain, bodies, error responses, sinks.

Here belongs what every HTTP request shares whatever it asks. Routes and dialects belong in `api`,
exchanges in `exchange`.
"""
