"""Redis clients from a URL, and the mapping of redis-py's errors to StoreUnavailable.

Every client speaks RESP3 with the uniform Python shapes, decodes to text, waits for a connection
when all are in use, and retries nothing by itself: a retried increment counts twice (redis-py 8
retries ten times by default; one INCR was seen to count eleven). `ask` retries a read once, and not
after a time-out, since the caller has waited long enough.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Final, TypeVar, cast
from urllib.parse import parse_qsl, unquote, urlsplit

from redis.asyncio import BlockingConnectionPool, Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode, ClusterPipeline
from redis.asyncio.connection import parse_url, to_bool
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as ConnectionBroken
from redis.exceptions import RedisClusterException, RedisError
from redis.exceptions import TimeoutError as TimedOut

from codex_proapi.commons.redis.circuit_breaker import RedisCircuitBreaker, code_of
from codex_proapi.commons.runtime.errors import StoreUnavailable

MAX_CONNECTIONS = 50
"""Connections of the client for ordinary commands; the next command waits for one."""
MAX_BLOCKING = 20
"""Connections of the client for blocking reads; each holds one while it waits."""
CLUSTER_CONNECTIONS = 1000
"""Connections to one node of a cluster: redis-py's cluster client knows no waiting, only refusing."""
BLOCK_SECONDS = 15
"""How long a blocking read waits on the server."""

T = TypeVar("T")


def connect(
    url: str,
    *,
    max_connections: int = MAX_CONNECTIONS,
    timeout: float = 1.0,
    breaker: RedisCircuitBreaker | None = None,
) -> Redis:
    """A client for ordinary commands.

    Args:
        url: Address as in REDIS_URL. With one server, `?socket_timeout=`, `?socket_connect_timeout=`
            and `?timeout=` (the wait for a connection; without it as long as for a reply), in seconds,
            take precedence.
        max_connections: Connections at most; further commands wait for one.
        timeout: Seconds that one command may take.
        breaker: Circuit breaker; commands fail at once while it is shut.
    """
    return _client(
        url,
        max_connections=max_connections,
        timeout=timeout,
        breaker=breaker or RedisCircuitBreaker(),
    )


def connect_blocking(url: str, *, max_connections: int = MAX_BLOCKING) -> Redis:
    """A client for blocking reads: its time-out is longer than BLOCK_SECONDS, whatever the URL says."""
    shortest = BLOCK_SECONDS + 5.0
    breaker = RedisCircuitBreaker()
    return _client(
        url, max_connections=max_connections, timeout=shortest, breaker=breaker, shortest=shortest
    )


REDIS_ERRORS: Final = (RedisError, RedisClusterException, OSError)
"""What redis-py raises."""


def unavailable(error: Exception) -> StoreUnavailable:
    """What stands for one of REDIS_ERRORS."""
    return StoreUnavailable(f"Redis: {code_of(error) or type(error).__name__}")


class _Mapped:
    """A context that turns errors; without a state, so that one serves every command."""

    __slots__ = ()

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, REDIS_ERRORS):
            raise unavailable(error) from error


_MAPPED = _Mapped()


def mapped() -> AbstractContextManager[None]:
    """A context in which any error of redis-py becomes StoreUnavailable."""
    return _MAPPED


async def ask(read: Callable[[], Awaitable[T]]) -> T:
    """Run a read, once more if its connection broke; errors become StoreUnavailable."""
    with mapped():
        try:
            return await read()
        except ConnectionBroken:
            return await read()


def text(value: object) -> str:
    """A reply as text; our clients decode, redis-py's types do not know it."""
    return value.decode() if isinstance(value, bytes) else str(value)


def _client(
    url: str,
    *,
    max_connections: int,
    timeout: float,
    breaker: RedisCircuitBreaker,
    shortest: float = 0.0,
) -> Redis:
    options: dict[str, Any] = {
        "decode_responses": True,
        "legacy_responses": False,
        "protocol": 3,
        "socket_timeout": timeout,
        "socket_connect_timeout": 1.0,
        "retry": Retry(NoBackoff(), 0),
    }
    scheme = urlsplit(url).scheme
    if scheme.endswith("+sentinel"):
        return _sentinel_client(url, {**options, "max_connections": max_connections}, breaker)
    if scheme.endswith("+cluster"):
        return _cluster_client(url, {**options, "max_connections": max_connections}, breaker)
    # The pool needs these as the client would pass them on; the URL's own options win.
    told: dict[str, Any] = {**parse_url(url)}
    wait = max(told.get("socket_timeout", timeout), shortest)
    merged = {"max_connections": max_connections, "timeout": wait, **options, **told}
    merged["socket_timeout"] = max(merged["socket_timeout"], shortest)
    pool = _WaitingPool(**merged)
    pool.breaker = breaker
    return Redis.from_pool(pool)


def _sentinel_client(url: str, options: dict[str, Any], breaker: RedisCircuitBreaker) -> Redis:
    """`redis+sentinel://[user:password@]h1:26379,h2:26379/service/0[?option=…]`.

    `sentinel_username` and `sentinel_password` are for the Sentinels; with `sentinel_tls=yes` they
    are asked over TLS too, by the options that begin with `ssl_`.
    """
    parts = urlsplit(url)
    service, _, database = parts.path.strip("/").partition("/")
    query = dict(parse_qsl(parts.query))
    login = _login(parts.username, parts.password)
    tls = _tls_options(query)
    options |= _patience(query)
    guards: dict[str, Any] = {
        "socket_timeout": 1.0,
        "socket_connect_timeout": 1.0,
        "decode_responses": True,
        "retry": Retry(NoBackoff(), 0),
    }
    guards |= _login(query.get("sentinel_username"), query.get("sentinel_password"))
    if to_bool(query.get("sentinel_tls", "")):
        guards |= {"ssl": True, **tls}
    sentinel = Sentinel(  # type: ignore[no-untyped-call]
        _hosts(parts.netloc, 26379), sentinel_kwargs=guards
    )
    if parts.scheme == "rediss+sentinel":
        options |= {"ssl": True, **tls}
    pool = {"connection_pool_class": _WaitingSentinelPool, "timeout": options["socket_timeout"]}
    client = sentinel.master_for(service, db=int(database or 0), **login, **pool, **options)
    client.connection_pool.breaker = breaker
    return cast("Redis", client)


def _cluster_client(url: str, options: dict[str, Any], breaker: RedisCircuitBreaker) -> Redis:
    """`redis+cluster://[user:password@]h1:6379,h2:6379[?option=…]`; our keys share one slot by their tag."""
    parts = urlsplit(url)
    nodes = [ClusterNode(host, port) for host, port in _hosts(parts.netloc, 6379)]
    login = _login(parts.username, parts.password)
    options["max_connections"] = CLUSTER_CONNECTIONS
    query = dict(parse_qsl(parts.query))
    options |= _patience(query)
    secure = parts.scheme == "rediss+cluster"
    if secure:
        options |= _tls_options(query)
    client = _GatedCluster(startup_nodes=nodes, ssl=secure, **login, **options)
    client.breaker = breaker
    return cast("Redis", client)


class _WaitingPool(BlockingConnectionPool):
    """A pool that waits for a free connection, except while the circuit breaker is shut."""

    breaker: RedisCircuitBreaker

    async def get_connection(self, *old: Any, **options: Any) -> Any:
        """A free connection; `old` are redis-py's deprecated arguments, which are ignored."""
        del old, options
        _pass(self.breaker)
        return await super().get_connection()  # type: ignore[no-untyped-call]

    async def release(self, connection: Any) -> None:
        """Return a connection, also if the caller is cancelled while it waits for that.

        redis-py then counts it as in use for ever, or wakes nobody who waits for one.
        """
        try:
            await super().release(connection)
        except asyncio.CancelledError:
            releasing = asyncio.ensure_future(self._release_again(connection))
            _releasing.add(releasing)
            releasing.add_done_callback(_releasing.discard)
            raise

    async def _release_again(self, connection: Any) -> None:
        if connection in self._in_use_connections:
            await super().release(connection)
            return
        async with self._condition:
            self._condition.notify()


_releasing: set[asyncio.Future[None]] = set()
"""Connections being returned for callers that were cancelled."""


class _GatedCluster(RedisCluster):
    """A client of a Redis Cluster behind the circuit breaker."""

    breaker: RedisCircuitBreaker

    async def execute_command(self, *args: Any, **kwargs: Any) -> Any:
        """Run a command on the node that has its keys."""
        _pass(self.breaker)
        return await super().execute_command(*args, **kwargs)

    def pipeline(self, transaction: Any = None, shard_hint: Any = None) -> ClusterPipeline:
        """Several commands at once."""
        del shard_hint
        return _GuardedPipeline(self, transaction)  # type: ignore[abstract]


class _GuardedPipeline(ClusterPipeline):
    """A pipeline on a Cluster that refreshes its list of nodes when a node fails.

    redis-py does that only if it may retry: without retries it was seen, after a failover, to ask
    the dead primary for ever.
    """

    cluster_client: _GatedCluster

    async def execute(
        self,
        raise_on_error: bool = True,  # noqa: FBT001, FBT002
        allow_redirections: bool = True,  # noqa: FBT001, FBT002
    ) -> list[Any]:
        """Run them."""
        _pass(self.cluster_client.breaker)
        try:
            replies: list[Any] = await super().execute(raise_on_error, allow_redirections)
        except (ConnectionBroken, TimedOut):
            await self.cluster_client.aclose()
            raise
        if any(isinstance(reply, (ConnectionBroken, TimedOut)) for reply in replies):
            await self.cluster_client.aclose()  # told as replies where errors are not raised
        return replies


class _WaitingSentinelPool(SentinelConnectionPool, _WaitingPool):
    """A waiting pool that follows the primary and closes its Sentinel clients with itself."""

    async def disconnect(self, inuse_connections: bool = True) -> None:  # noqa: FBT001, FBT002
        """Close the connections; all of them when the client closes."""
        await super().disconnect(inuse_connections)
        if inuse_connections:
            for sentinel in self.sentinel_manager.sentinels:
                await sentinel.aclose()


def _pass(breaker: RedisCircuitBreaker) -> None:
    if breaker.shut:
        raise ConnectionBroken("away")


def _hosts(netloc: str, port: int) -> list[tuple[str, int]]:
    found = []
    for part in netloc.rpartition("@")[2].split(","):
        host, _, provided = (
            part.rpartition(":") if part.rpartition(":")[2].isdigit() else (part, "", "")
        )
        found.append((host.strip("[]"), int(provided or port)))
    return found


def _tls_options(query: Mapping[str, str]) -> dict[str, Any]:
    """The options of an address that say whom to trust and who we are."""
    found: dict[str, Any] = {n: v for n, v in query.items() if n.startswith("ssl_")}
    if "ssl_check_hostname" in found:
        found["ssl_check_hostname"] = to_bool(found["ssl_check_hostname"])
    return found


def _patience(query: Mapping[str, str]) -> dict[str, Any]:
    """The options of an address that say how long is waited."""
    names = ("socket_timeout", "socket_connect_timeout")
    return {name: float(query[name]) for name in names if name in query}


def _login(username: str | None, password: str | None) -> dict[str, Any]:
    login = {"username": username, "password": password}
    return {name: unquote(value) for name, value in login.items() if value}
