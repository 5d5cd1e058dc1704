"""The gateway: OpenAI-compatible requests, answered by the Codex backend through several accounts.

    __main__      settings from the environment, then serve until a signal
    app           the composition root: every object, made once
    replica_sync  heartbeat and live settings
    api           routes, and one value for each dialect
    exchange      the life of one request: translate, dispatch, pump, settle
    pool          accounts: selection, queue, circuit breakers, outcomes
    quota         accounts' quota and what a key is told of its own
    limits        limits of keys: charges, budgets, permits of streams
    auth          API keys, their revocation
    upstream      the backend over HTTP
    accounting    writing settled exchanges to Redis
    metrics       every Prometheus series
    server        HTTP: connections with deadlines, bodies, sinks, drain
    policy        pure: what a refusal allows, and what it means for its account
    translation   pure: a client's request becomes upstream's, upstream's answer a client's
    formats       pure: the bytes of each protocol
    errors        whose fault it is, which status, what may follow

One request: `api.router` finds the route, `api.endpoint` authenticates it and reads its body,
`exchange.request_handler` translates it, `exchange.dispatch` tries accounts until one answers,
`exchange.answer.response_pump` carries the answer through a translator to a sink, and `exchange.exchange`
settles: one record, read by usage, log stream, metrics and log. Each module imports only from those
below it in this list. Nothing is remembered that another replica would miss.
"""
