"""The pages of the holders of API keys: one key's figures, and what became of each of its requests.

Nothing on them is of an account or of another key.
"""
