"""Server-sent events of the log and of changes, with one reader for each replica.

Belongs here: streams without an end, their filter, and the log's routes. Does not belong here:
plain requests (`api`), how entries are stored (`commons.usage.log_stream`).
"""
