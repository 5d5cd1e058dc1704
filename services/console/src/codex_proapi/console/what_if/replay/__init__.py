"""The replay of weeks on a fake clock with the real choice of accounts: what would have come of them otherwise.

Weeks are made up (`make week`) or worked out from what Redis recorded of the last ones. Pure; `__main__`
is the process that consoles give a question to. Not here: reading what was recorded (console).
"""
