"""Saved resets of accounts: read, shown, and redeemed once, by a person who has confirmed it.

Only the console has this: no API key reaches it, and nothing redeems a reset by itself.
"""
