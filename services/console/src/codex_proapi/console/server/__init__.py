"""The edge of the process: hosts, proxies, limits and headers of every answer, errors, probes.

Belongs here: what applies to every request before authentication. Does not belong here: sessions
and tokens (`auth`), routes of resources (`api`), HTTP itself (`commons.http`).
"""
