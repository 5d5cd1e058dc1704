"""Wire formats: decodes and encodes server-sent events, Codex, OpenAI and Anthropic. Pure.

Belongs here: bytes to values and values to bytes. Not here: translating between protocols
(`translation`), deciding what follows a refusal (`policy`).
"""
