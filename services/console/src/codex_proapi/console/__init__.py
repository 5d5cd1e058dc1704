"""The console: web pages, JSON API and command line of the administrator. It serves no API client.

cli, pages        what people use: commands, server-rendered pages (layout, views)
api, live         the JSON API; log and changes as server-sent events
auth              administrator, sessions, admin tokens, sign-in limits, audit
server            host names, proxies, response headers, errors, uvicorn
accounts          four ways of signing an account in: browser, pasted address, device, auth.json
texts             two languages
app, components   the composition root; routes lists what is served

Everything two replicas must agree on is in Redis: pending logins, sessions, attempts, settings.
"""
