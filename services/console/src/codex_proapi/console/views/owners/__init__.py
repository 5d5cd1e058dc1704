"""Values of the pages about owners: what the pool used of an account, terms in words.

Does not belong here: what reads requests or renders (`pages`, `layout`).
"""
