"""Chat completions over a Codex backend: `request` on the way there, the rest on the way back.

`translator_factory` chooses between a stream (`translator`) and a whole answer (`aggregator`); both follow
the state machine in `chunks_from_events`. The JSON of chunks and completions is in `formats.openai`.
"""
