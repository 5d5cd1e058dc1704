"""Anthropic's Messages over a Codex backend: `request` on the way there, `answer` on the way back.

Pure: bytes and values in, bytes and values out. What the dialect's own bytes mean is in
`formats.anthropic`; what all dialects share of a request is in `translation.request`.
"""
