"""What the holder of an API key sees: sessions begun with the key itself, and the key's own figures.

Belongs here: who is signed in with which key, and what is read of that key alone. Does not belong here:
routes and pages (`api.holders`, `pages.holders`); anything of accounts or of other keys.
"""
