"""The frame of every page: templates, assets and their addresses, language and theme.

Belongs here: how a page is rendered and its static files served. Does not belong here: what one
page shows (`pages`), values computed for pages (`views`).
"""
