"""The process' edge: limits of connections, bodies, error responses, sinks, exchanges in flight.

Here belongs what all HTTP requests share, whatever their route. HTTP itself is `commons.http`,
routes and dialects are `api`, exchanges are in `exchange`.
"""
