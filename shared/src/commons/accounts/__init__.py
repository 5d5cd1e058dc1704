"""Accounts: what they are, where they are kept, how their credentials stay fresh."""
