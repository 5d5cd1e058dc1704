"""Commands that look at an installation and change nothing: doctor, status, usage, logs, config.

Belongs here: what they find, and how a terminal shows it.
Does not belong here: commands that change accounts, keys or the administrator.
"""
