"""The quota of accounts: readings from answers, their merge, and polling where no answer came.

What a client's key may spend is `limits`; the words of the backend for quota are `commons.codex`.
"""
