"""The command line `codex-proapi`: accounts, API keys and administration.

Belongs here: commands that read or change the store with the console's own settings, so that they
run wherever the console does (its image included). Does not belong here: what serves (`serve`,
`demo`) or needs the gateway; other members add such commands by entry points (`extensions`).
"""
