"""Requests to the backend's other routes, which answer one JSON body: images and searches.

The answer passes as it is. Limits, choice of account, failover, usage and log are those of every
exchange; nothing of them knows these routes.
"""
