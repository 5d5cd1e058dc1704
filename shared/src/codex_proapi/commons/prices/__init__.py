"""List prices of models: the table in force, and what tokens would cost by it. Pure but for the store.

Does not belong here: which usage is looked at.
"""
