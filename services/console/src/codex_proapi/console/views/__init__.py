"""Values that pages show, computed from the stores: account rows, quota bars, figures, snippets.

Belongs here: what a page needs to know, without HTML and without a request. Does not belong here:
templates and their frame (`layout`), the handlers of pages (`pages`).
"""
