"""Clients of the tests' Redis that outlast a busy machine: what is proved is what Redis says, not when."""

from redis.asyncio import Redis

from codex_proapi.commons.redis.clients import connect

PATIENCE_SECONDS = 60.0
"""Hundreds of commands at once were seen to wait longer than the second that services have."""
CONNECTIONS = 20


def patient(url: str) -> str:
    """The address of a server, for clients that wait long for its answers."""
    return f"{url}&socket_timeout={PATIENCE_SECONDS}&socket_connect_timeout={PATIENCE_SECONDS}"


def patient_twin(client: Redis) -> Redis:
    """Another client of the same database, with much patience; on a unix socket, as tests have it."""
    place = client.connection_pool.connection_kwargs
    return connect_patiently(f"unix://{place['path']}?db={place.get('db', 0)}")


def connect_patiently(url: str) -> Redis:
    """A client as the services make it, but with much patience."""
    client = connect(url, timeout=PATIENCE_SECONDS, max_connections=CONNECTIONS)
    client.connection_pool.connection_kwargs["socket_connect_timeout"] = PATIENCE_SECONDS
    return client
