"""Readers that all dialects share: fields, messages, items, content parts and parameters.

Content is recognised by its own shape, never by its route, because real clients mix the dialects.
Tools are in `translation.tools`; what only one dialect has is in that dialect's package.
"""
