"""What both services know of the ChatGPT Codex backend, in one place.

Here: identity, headers, the minimal request, tokens and their claims, models, quota words. Not
here: its event stream and refusals (`gateway.formats.codex`), the calls (`gateway.upstream`).
"""
