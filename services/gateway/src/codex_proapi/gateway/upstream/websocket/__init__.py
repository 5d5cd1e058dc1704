"""WebSocket to the backend: one connection's framing, and when it carries a request instead of a POST.

An answer comes as the same event stream that a POST would give, so nothing above knows the
difference. Not here: WebSocket to clients, which is `gateway.websocket`.
"""
