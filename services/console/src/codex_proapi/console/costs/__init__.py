"""What usage would cost at list prices: the table of prices, and exact money. Pure but for the store.

Does not belong here: which usage is looked at (`api.usage`, `pages.usage`).
"""
