"""The simulated Codex backend: its routes, and an answer as a stream of events over HTTP.

What is answered comes from `answers`, what is refused from `validation`.
"""
