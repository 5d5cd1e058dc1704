"""Translates client requests into requests to the Codex backend, and its answers back. Pure.

One package for each dialect (`chat`, `responses`, `messages`), each with its `request` and its
translators of answers; shared parts are in `request`, `tools`, `history` and `stream`. No clock, no
ids, no input or output; wire formats are in `formats`.
"""
