"""Prepares a conversation for sending: pairs calls with results, names, flattens, estimates it.

It works on the backend's items, whatever dialect they came from. A client's messages are read in
`translation.request`; items are stored between requests in `exchange`.
"""
