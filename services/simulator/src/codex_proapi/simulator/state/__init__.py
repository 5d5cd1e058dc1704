"""State shared by the simulated servers: accounts, logins, quota, faults, refusals, received requests.

Plain values and their rules; no sockets, and time is an argument. Nothing here imports the other
folders.
"""
