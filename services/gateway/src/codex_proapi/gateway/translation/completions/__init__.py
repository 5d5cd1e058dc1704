"""Legacy completions over a Codex backend: a prompt is a user's message, the answer its text.

The answer follows the state machine of `translation.chat`; the JSON of chunks and whole answers is
in `formats.openai.completions`.
"""
