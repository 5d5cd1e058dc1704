"""The Responses API over a Codex backend: `request`, kept items, and answers on their way back.

`translator` completes a stream for any client, `passthrough` leaves it as it is for Codex itself,
`aggregator` makes one object of it; `translator_factory` chooses. What all dialects share is not here.
"""
