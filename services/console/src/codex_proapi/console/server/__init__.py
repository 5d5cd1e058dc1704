"""The edge of the process: hosts, proxies, limits and headers of every answer, errors, probes.

Belongs here: what holds for every request before it is known who asks, and uvicorn. Does not
belong here: sessions and tokens (`auth`), routes of resources (`api`).
"""
