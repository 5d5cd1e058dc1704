"""Translates a Messages body into an upstream request: models, tools, history, parameters, token counts.

Answers are translated in `messages.answer`; rules that dialects share are in `translation.request`,
`translation.tools` and `translation.history`.
"""
