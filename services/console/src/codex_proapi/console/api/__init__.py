"""The JSON API, one module for each resource: routes, bodies, and what they note in the audit.

Belongs here: what a route reads, calls and answers. Does not belong here: who may call it
(`auth`), streams without an end (`live`), HTML (`pages`).
"""
