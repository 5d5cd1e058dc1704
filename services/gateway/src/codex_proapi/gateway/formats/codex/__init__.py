"""Wire format of the Codex backend: request bodies and headers, events, items, refusals, quota.

What both services know of the backend (identity, endpoints, the model catalogue) is in
`commons.codex`; what a refusal allows is in `policy`.
"""
