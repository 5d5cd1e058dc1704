"""Translates upstream's events into a Messages answer, streamed or whole; the thinking signature.

Accounts, times and ids are arguments. Requests are translated in `messages.request`.
"""
