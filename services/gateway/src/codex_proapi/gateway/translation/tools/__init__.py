"""Translates tools of every known shape into the backend's: names, schemas, the tool choice.

Calls in answers belong to the dialects; the place of tools in a request's body is in
`formats.codex.requests`.
"""
