"""What the processes of one installation know of each other.

Here: live replicas, settings that change while running, the version of what is stored. Not here:
what a process does with them (`gateway.replica_sync`, the console's pages).
"""
