"""What a client's request means to the Codex backend, and its answer to the client. Pure.

One package for each dialect (`chat`, `responses`, `messages`), each with its `request` and its
translators of answers; what they share is in `request`, `tools`, `history` and `stream`. No clock,
no ids, no input or output; what the bytes of a protocol look like is in `formats`.
"""
