"""Wire format of Anthropic's Messages API: request fields, stream events, errors, list of models.

Belongs here: decoding and encoding in both directions. Not here: translating from and to Codex
(`translation.messages`), sockets and HTTP.
"""
