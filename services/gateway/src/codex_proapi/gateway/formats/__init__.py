"""What the bytes of each protocol mean: server-sent events, Codex, OpenAI, Anthropic. Pure.

Bytes become values here and values bytes, nothing is decided. Translating between protocols is
`translation`, choosing what to do about a refusal is `policy`.
"""
