"""The quota of accounts: readings from answers, their merge, and polling where no answer came.

Not here: what a client's key may spend (`limits`), the backend's quota format (`commons.codex`).
"""
