"""How requests of any dialect are read: fields, messages, items, parts, parameters.

Content is told apart by its own shape, never by the route it came in by, for real clients mix
them. Tools are in `translation.tools`; what a single dialect has is in that dialect's package.
"""
