"""Tools of every known shape made into those the backend takes: names, schemas, the choice.

Calls of tools in answers belong to the dialects; where tools stand in a request's body is
`formats.codex.requests`.
"""
