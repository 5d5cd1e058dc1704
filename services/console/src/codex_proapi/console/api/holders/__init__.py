"""Routes of the holders of API keys: signing in with the key itself, and out.

They admit nobody to anything but the pages of `pages.holders`.
"""
