"""What the simulated servers share: accounts, logins, quota, faults, refusals, and the record.

Plain values and their rules; no sockets, and time is an argument. Nothing here imports the other
folders.
"""
