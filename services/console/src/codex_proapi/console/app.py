"""The console's composition root: makes every object once and connects them."""

import asyncio
import functools
import secrets
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

import msgspec
import structlog
from litestar import Litestar
from litestar.config.compression import CompressionConfig
from litestar.di import Provide
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send
from prometheus_client import GC_COLLECTOR, PLATFORM_COLLECTOR, PROCESS_COLLECTOR, CollectorRegistry

from codex_proapi.commons.cluster.replicas import BEAT_SECONDS, Replica
from codex_proapi.commons.cluster.store_check import StoreCheck, end_process
from codex_proapi.commons.connections.http_client import http_client
from codex_proapi.commons.redis.clients import connect, connect_blocking
from codex_proapi.commons.runtime.cipher import Cipher
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.commons.runtime.process_metrics import watch_lag
from codex_proapi.commons.runtime.tasks import Tasks
from codex_proapi.console.api.usage import team_calendar, team_today, usage_wanted
from codex_proapi.console.auth.identity import IdentityMiddleware
from codex_proapi.console.auth.loopback_peers import LoopbackPeers
from codex_proapi.console.auth.passwords import Passwords, is_common
from codex_proapi.console.components import Components, Foundations
from codex_proapi.console.live.logs import concerned, log_filter
from codex_proapi.console.metrics import Metrics, RedisWork
from codex_proapi.console.pages import error_page, page_handlers
from codex_proapi.console.routes import API_ROUTES, openapi_config
from codex_proapi.console.server.error_responses import AnyRequest, handlers_of
from codex_proapi.console.server.health import SERVICE, HealthReport
from codex_proapi.console.server.middleware import STREAMS, ConsoleMiddleware
from codex_proapi.console.settings import ConsoleSettings
from codex_proapi.console.version import own_version

Clock = Callable[[], float]
Announce = Callable[[str], None]

COMPRESSED = ("^/static/", "^/texts/", "^/favicon")
"""Paths of files that are compressed once, for all requests."""
GZIP_LEVEL = 4
"""A megabyte of a page takes some 10 ms of the loop; a higher level saves little more."""
MAX_BODY = 64 * 1024
"""No body of the API is larger, but for an auth.json."""

log = structlog.get_logger(__name__)


def build(
    settings: ConsoleSettings,
    *,
    clock: Clock = time.time,
    announce: Announce | None = None,
    passwords: Passwords | None = None,
) -> "Console":
    """Make a console, not yet started.

    Args:
        settings: The settings of this process.
        clock: Seconds since the epoch.
        announce: Called with each line for the person who starts it.
        passwords: Hashing of passwords; None is argon2id as in production.
    """
    return Console(
        settings,
        clock=clock,
        announce=announce or _to_stderr,
        passwords=passwords or Passwords(),
    )


class Console:
    """One replica of the console."""

    def __init__(
        self,
        settings: ConsoleSettings,
        *,
        clock: Clock,
        announce: Announce,
        passwords: Passwords,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._announce = announce
        self._tasks = Tasks()
        self._started = False
        self._replica = Replica(
            id=secrets.token_hex(6),
            service=SERVICE,
            host=socket.gethostname(),
            version=own_version(),
            started_at=int(clock()),
        )
        self.metrics = Metrics(_registry())
        self.metrics.process.task_failures = self._tasks.failures
        self.metrics.build.labels(own_version()).set(1)
        self.lights = HealthReport(loops_down=lambda: self._tasks.down)
        self.redis = connect(settings.redis_url)
        self.blocking_redis = connect_blocking(settings.redis_url)
        rules = settings.proxy_rules
        self.http = http_client(rules, follow_redirects=False)
        self.parts = Components(
            Foundations(
                settings=settings,
                clock=clock,
                metrics=self.metrics,
                redis=self.redis,
                blocking_redis=self.blocking_redis,
                http=self.http,
                passwords=passwords,
            )
        )
        self.asgi: ASGIApp = ConsoleMiddleware(
            self._litestar(), settings=settings, metrics=self.metrics
        )

    def __repr__(self) -> str:
        return f"<Console {self._replica.id} on port {self._settings.port}>"

    async def start(self) -> None:
        """Start the background tasks; further calls do nothing."""
        if self._started:
            return
        self._started = True
        self._announce(f"browser logins return to {self._settings.redirect_uri}")
        proxy = self._settings.proxy_rules.proxy_for_url(self._settings.codex_auth_url)
        if proxy is not None:
            self._announce(f"the proxy {proxy.name} leads upstream")
        check = StoreCheck(self.redis, Cipher(self._settings.encryption_keys))
        try:
            await check.check()
            await self._welcome()
        except StoreUnavailable:  # requests are refused until it has succeeded
            self._tasks.keep("welcome", self._welcome_later)
        self._tasks.keep("store check", functools.partial(check.run, end_process))
        self._tasks.keep("log-fan", self.parts.log_broadcast.run)
        self._tasks.keep("changes", self.parts.changes.run)
        self._tasks.keep("alerts", self.parts.alert_loop.run)
        self._tasks.keep("beat", self._beat)
        self._tasks.keep("usage roll-up", self.parts.usage_roll_up.run)
        self._tasks.keep("loop lag", functools.partial(watch_lag, self.metrics.loop_lag.observe))

    def begin_drain(self) -> None:
        """End every live stream and fail the readiness probe; requests are still served."""
        self.lights.closing.set()
        self.parts.log_broadcast.close()
        self.parts.changes.close()

    def end_drain(self) -> None:
        """Nothing is left to end: live streams ended first, other requests have no error event."""

    async def close(self) -> None:
        """End streams and background tasks, and close every connection."""
        self.begin_drain()
        await self._tasks.close()
        await self.parts.devices.close()
        await self.parts.refresher.close()
        try:
            await self.parts.replicas.leave(self._replica)
        except StoreUnavailable:  # it counts as gone in half a minute anyway
            log.warning("replica.left_unnoticed")
        await self.http.aclose()
        await self.blocking_redis.aclose()
        await self.redis.aclose()

    async def _welcome(self) -> None:
        """Set the first password, or print the token that may."""
        administrator = self.parts.administrator
        if await administrator.has_password():
            return
        if self._settings.admin_password:
            if await administrator.set_first(self._settings.admin_password):
                self._warn_of_common_password()
        elif not self._settings.on_loopback:
            token = await administrator.issue_setup_token()
            self._announce(f"no administrator yet; set the password with this token: {token}")

    def _warn_of_common_password(self) -> None:
        """Say that the first password is easily guessed; it is the operator's, so the start goes on."""
        if is_common(self._settings.admin_password):
            cure = "change it in Settings, or with `codex-proapi admin password`"
            self._announce(f"ADMIN_PASSWORD is one of those that are tried first; {cure}")

    async def _welcome_later(self) -> None:
        while True:
            await asyncio.sleep(1)
            try:
                return await self._welcome()
            except StoreUnavailable:
                log.warning("console.waits_for_redis")

    async def _beat(self) -> None:
        while True:
            beat = msgspec.structs.replace(self._replica, beat_at=self._clock())
            try:
                await self.parts.replicas.beat(beat)
            except StoreUnavailable:
                self.metrics.redis_failed(RedisWork.UPKEEP)
                log.warning("replica.beat_missed")
            await asyncio.sleep(BEAT_SECONDS)

    def _litestar(self) -> ASGIApp:
        """The shared routes, with this console's objects for their handlers."""
        parts = self.parts
        objects = {
            **vars(parts),
            "clock": self._clock,
            "lights": self.lights,
            "metrics": self.metrics,
            "redis": self.redis,
            "settings": self._settings,
            IDENTITY: IdentityMiddleware(
                settings=self._settings,
                administrator=parts.administrator,
                sessions=parts.sessions,
                tokens=parts.script_tokens,
                owners=parts.owner_accesses,
                peers=LoopbackPeers(),
            ),
        }
        self.routes = routes = _routes(frozenset(objects))

        async def with_objects(scope: Scope, receive: Receive, send: Send) -> None:
            scope.setdefault("state", {})[OBJECTS] = objects
            await routes(scope, receive, send)

        return with_objects


OBJECTS = "objects"
"""Where in a request's state its handlers' objects are."""
IDENTITY = "identity_middleware"
"""Among them, what finds out who asks."""


@functools.cache
def _routes(names: frozenset[str]) -> Litestar:
    """The Litestar application, whose handlers may ask for objects of these names.

    Building it takes a tenth of a second and it holds no state of one console, so several in one
    process share it (as in tests). Each request brings its console's objects.
    """
    return Litestar(
        route_handlers=[*API_ROUTES, *page_handlers],
        middleware=[_Identified()],
        dependencies={
            **{name: _provide(name) for name in names},
            "about": Provide(concerned, sync_to_thread=False),
            "wanted": Provide(log_filter, sync_to_thread=False),
            "calendar": Provide(team_calendar),
            "team_today": Provide(team_today, sync_to_thread=False),
            "wanted_usage": Provide(usage_wanted, sync_to_thread=False),
        },
        exception_handlers=handlers_of(error_page=error_page, store_failed=_store_failed),
        openapi_config=openapi_config(),
        compression_config=CompressionConfig(
            backend="gzip", gzip_compress_level=GZIP_LEVEL, exclude=[*STREAMS, *COMPRESSED]
        ),
        request_max_body_size=MAX_BODY,
        logging_config=None,
    )


class _Identified(ASGIMiddleware):
    """Middleware that delegates to the IdentityMiddleware of the request's console."""

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Continue or refuse, as that console decides."""
        await scope["state"][OBJECTS][IDENTITY].handle(scope, receive, send, next_app)


def _provide(name: str) -> Provide:
    def found(scope: Scope) -> Any:
        return scope["state"][OBJECTS][name]

    return Provide(found, sync_to_thread=False)


def _store_failed(request: AnyRequest) -> None:
    request.scope["state"][OBJECTS]["metrics"].redis_failed(RedisWork.REQUEST)


def _registry() -> CollectorRegistry:
    """A Prometheus registry that also has the process' own figures."""
    registry = CollectorRegistry()
    for collector in (PROCESS_COLLECTOR, PLATFORM_COLLECTOR, GC_COLLECTOR):
        registry.register(collector)
    return registry


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - people read it at a start
