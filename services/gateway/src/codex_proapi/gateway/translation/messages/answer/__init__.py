"""Upstream's events made into a Messages answer, streamed or whole, and the thinking signature.

Accounts, clocks and ids are handed in. How a request becomes upstream's is `messages.request`.
"""
