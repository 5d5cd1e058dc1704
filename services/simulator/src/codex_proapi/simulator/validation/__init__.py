"""The rules a request to POST /responses must keep, and the error the backend has for each breach.

Pure: a breach raises `Refused` with the refusal. Headers of identity are checked in `http`.
"""
