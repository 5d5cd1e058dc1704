"""`codex-proapi accounts terms …`: on which terms an account may be used.

Here: reading and changing them on the command line. Not here: what they mean (`commons.owner_terms`).
"""
