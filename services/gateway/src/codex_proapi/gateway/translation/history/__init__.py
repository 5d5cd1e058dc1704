"""A conversation made ready to be sent: calls paired with results, named, flattened, estimated.

It works on the backend's own items, whatever dialect they came from. Reading a client's messages
is `translation.request`; keeping items between requests is `exchange`.
"""
