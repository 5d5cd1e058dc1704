"""What a process needs whatever it serves: settings, logging, tasks, TLS, encryption, errors.

The lowest room: it imports nothing of ours. Not here: anything that needs Redis.
"""
