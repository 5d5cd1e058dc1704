"""The gateway: OpenAI-compatible requests, answered by the Codex backend through several accounts.

    __main__      settings, then serve until a signal
    app           the composition root: every object, made once
    web           the edge: routes, keys, bodies, replies; knows ASGI, Litestar and uvicorn
    relay         the shell of one exchange: lease, attempt, settle; knows Redis and upstream
    translation   pure: a client's request becomes upstream's, upstream's answer a client's
    judgement     pure: what a refusal allows, and what it means for its account
    choice        pure: which account is asked next
    dialects      pure: wire shapes
    metrics       every Prometheus series
    errors        whose fault it is, which status, what may follow

One request: `web.front` finds the route, `web.endpoint` admits it and reads its body,
`translation.requests` makes an upstream request of it, `relay.dispatch` tries accounts until one
speaks, `web.replies` pumps the answer through a wire, and `relay.exchange` settles: one record,
read by usage, log stream, metrics and log. Nothing is remembered that another replica would miss.
"""
