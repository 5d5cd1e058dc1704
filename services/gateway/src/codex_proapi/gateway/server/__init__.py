"""The process' edge: connections with deadlines, uvicorn and drain, bodies, error responses, sinks.

Here belongs what all HTTP requests share, whatever their route. Routes and dialects are `api`,
exchanges in `exchange`.
"""
