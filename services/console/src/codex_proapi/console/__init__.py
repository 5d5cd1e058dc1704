"""The console signs accounts in and shows what happens; it serves no client.

web       pages, JSON API, live streams; the only place that knows Litestar
├─ front       who really asks, under which name; what every answer carries
├─ visit       administrator's browser, script with a token, this machine, or a stranger
├─ fan         one reader of the log stream for all browsers of this replica
└─ pages       values become HTML
login     four ways an account comes in: browser, pasted callback, device code, auth.json
admin     the administrator: password, setup, sessions, tokens for scripts, attempts, audit
texts     two languages
errors, settings, metrics

Everything two replicas must agree on is in Redis: pending logins, sessions, attempts, settings.
"""
