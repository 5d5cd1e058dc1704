"""Anthropic's Messages API over a Codex backend: translates requests (`request`) and answers (`answer`).

Pure: bytes and values in, bytes and values out. The dialect's wire format is in `formats.anthropic`;
what all dialects share of a request is in `translation.request`.
"""
