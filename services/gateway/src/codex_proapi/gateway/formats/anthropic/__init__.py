"""Anthropic's Messages API on the wire: request fields, stream events, errors, the list of models.

What bytes and JSON mean, in both directions. What they do to a Codex request or answer is decided
in `translation.messages`; sockets and headers of HTTP do not belong here.
"""
