"""The chat completions API over a Codex backend: translates requests (`request`) and answers.

`translator_factory` chooses between a stream (`translator`) and a whole answer (`aggregator`); both follow
the state machine in `chunks_from_events`. The JSON of chunks and completions is in `formats.openai`.
"""
