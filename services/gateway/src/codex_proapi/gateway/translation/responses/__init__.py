"""The Responses API over a Codex backend: translates requests, stored items and answers.

`translator` completes a stream for any client, `passthrough` forwards it to Codex clients,
`aggregator` makes one object of it; `translator_factory` chooses. Not here: what all dialects share.
"""
