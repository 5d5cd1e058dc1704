"""How the command line speaks: tables, times, JSON, questions, errors and exit codes.

Belongs here: the form of what a command prints. Does not belong here: what it says or does.
"""
