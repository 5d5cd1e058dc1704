"""The pool's state as it is read from Redis: one snapshot for each admission and each selection.

The snapshot and its script, its reader, what stands in while Redis is away, and the clock that
snapshots correct. Selecting from a state is the folder above.
"""
