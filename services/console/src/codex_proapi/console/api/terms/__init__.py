"""The administrator's routes of accounts' terms.

Here: their form in the API, reading and replacing them. Not here: the owner's own routes.
"""
