"""What goes on by itself: the log and changes as server-sent events, one reader for each replica.

Belongs here: streams without an end, their filter, and the log's routes. Does not belong here:
plain requests (`api`), how entries are stored (`commons.usage.log_stream`).
"""
