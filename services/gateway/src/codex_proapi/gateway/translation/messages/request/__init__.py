"""A Messages body made into an upstream request: models, tools, history, parameters, token counts.

What is written of the answer is `messages.answer`; rules that other dialects share are in
`translation.request`, `translation.tools` and `translation.history`.
"""
