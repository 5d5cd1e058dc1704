"""What translators of any dialect share: the driver, the commit gate, the report, stop strings.

`event_translator` cuts an answer's bytes into events and hands them to a dialect. What an event
looks like is in `formats.codex.events`; translating it for a client is the dialect's.
"""
