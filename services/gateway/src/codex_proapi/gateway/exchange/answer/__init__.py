"""The way of one answer: from the upstream stream through its translator to the client's sink.

`response_pump` takes a committed answer until it is whole, `response_writer` writes it,
`pushed_stream` is its fast way. Accounts and retries are `exchange.dispatch`.
"""
