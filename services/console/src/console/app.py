"""The console's composition root: makes every object, once, and hands them over."""

import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx
from litestar import Litestar
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.router import Router
from litestar.types import ASGIApp
from prometheus_client import CollectorRegistry

from commons.accounts.cipher import CredentialCipher
from commons.accounts.cooldowns import CooldownStore
from commons.accounts.store import AccountStore
from commons.accounts.token_endpoint import TokenEndpoint
from commons.log_stream import LogStream
from commons.redis_pool import connect, connect_for_tails
from console.admin.administrator import Administrator
from console.admin.audit import Audit
from console.admin.passwords import Passwords
from console.admin.script_tokens import ScriptTokens
from console.admin.sessions import Sessions
from console.login.desk import LoginDesk
from console.login.device import DeviceLogins
from console.login.pending import PendingLogins
from console.metrics import Metrics
from console.settings import ConsoleSettings
from console.web import accounts, health
from console.web.failures import handlers_of
from console.web.front import Front
from console.web.health import Lights
from console.web.visit import VisitMiddleware

Clock = Callable[[], float]


class Console:
    """One replica of the console."""

    def __init__(
        self, settings: ConsoleSettings, *, clock: Clock, announce: Callable[[str], None]
    ) -> None:
        self._settings = settings
        self._announce = announce
        self._started = False
        self.metrics = Metrics(CollectorRegistry())
        self.lights = Lights()
        self.redis = connect(settings.redis_url)
        self.tails = connect_for_tails(settings.redis_url)
        self.http = httpx.AsyncClient(trust_env=False, follow_redirects=False)
        self.administrator = Administrator(self.redis, Passwords(), clock=clock)
        self.asgi: ASGIApp = Front(self._litestar(clock), settings=settings, metrics=self.metrics)

    def __repr__(self) -> str:
        return f"<Console on port {self._settings.port}>"

    async def start(self) -> None:
        """Begin the background work; once, however often it is called."""
        if self._started:
            return
        self._started = True
        self._announce(f"browser logins return to {self._settings.redirect_uri()}")
        await self._welcome()

    async def close(self) -> None:
        """End streams and background work, and let go of every connection."""
        self.lights.closing.set()
        await self.http.aclose()
        await self.tails.aclose()
        await self.redis.aclose()

    async def _welcome(self) -> None:
        """Set the first password, or print the token that may."""
        if await self.administrator.has_password():
            return
        if self._settings.admin_password:
            await self.administrator.set_first(self._settings.admin_password)
        elif not self._settings.on_loopback:
            token = await self.administrator.issue_setup_token()
            self._announce(f"no administrator yet; set the password with this token: {token}")

    def _litestar(self, clock: Clock) -> ASGIApp:
        sessions = Sessions(self.redis, clock=clock)
        tokens = ScriptTokens(self.redis, clock=clock)
        return Litestar(
            route_handlers=list(ROUTES),
            middleware=[
                VisitMiddleware(
                    settings=self._settings,
                    administrator=self.administrator,
                    sessions=sessions,
                    tokens=tokens,
                )
            ],
            dependencies=_provided(
                {
                    **self._stores(clock),
                    "sessions": sessions,
                    "script_tokens": tokens,
                    "administrator": self.administrator,
                    "clock": clock,
                    "lights": self.lights,
                    "metrics": self.metrics,
                    "redis": self.redis,
                    "settings": self._settings,
                }
            ),
            exception_handlers=handlers_of(
                error_page=None, store_failed=self.metrics.store_failures.inc
            ),
            openapi_config=_openapi(),
            request_max_body_size=MAX_BODY,
            logging_config=None,
        )

    def _stores(self, clock: Clock) -> dict[str, Any]:
        cipher = CredentialCipher(self._settings.encryption_keys)
        store = AccountStore(self.redis, cipher)
        logs = LogStream(self.redis, tails=self.tails)
        endpoint = TokenEndpoint(
            self.http,
            issuer=self._settings.codex_auth_url,
            client_id=self._settings.codex_client_id,
            identity={"originator": self._settings.codex_originator},
        )
        pending = PendingLogins(self.redis, cipher, clock=clock)
        desk = LoginDesk(
            settings=self._settings,
            accounts=store,
            endpoint=endpoint,
            pending=pending,
            clock=clock,
            hook=lambda way, outcome: self.metrics.logins.labels(way.value, outcome).inc(),
        )
        return {
            "accounts": store,
            "cooldowns": CooldownStore(self.redis),
            "logs": logs,
            "audit": Audit(self.redis, logs, clock=clock),
            "desk": desk,
            "devices": DeviceLogins(desk=desk, endpoint=endpoint, pending=pending, clock=clock),
        }


MAX_BODY = 64 * 1024
"""No body of the API is larger, but for an auth.json."""

ROUTES = (
    health.health,
    health.ready,
    health.figures,
    accounts.list_accounts,
    accounts.show_account,
    accounts.add_account,
    accounts.preview_account,
    accounts.change_account,
    accounts.remove_account,
)


def build(
    settings: ConsoleSettings,
    *,
    clock: Clock = time.time,
    announce: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True),  # noqa: T201 - people at a start read it
) -> Console:
    """A console that is ready to be started."""
    return Console(settings, clock=clock, announce=announce)


def _openapi() -> OpenAPIConfig:
    return OpenAPIConfig(
        title="Codex Pro API: console",
        version="1",
        use_handler_docstrings=True,
        path="/api",
        render_plugins=[JsonRenderPlugin(path="/openapi.json")],
        openapi_router=Router(path="/api", route_handlers=[], opt={"public": True}),
    )


def _provided(objects: Mapping[str, Any]) -> dict[str, Provide]:
    """Each object under its name, for the handlers that ask for it."""
    return {name: _provide(value) for name, value in objects.items()}


def _provide(value: object) -> Provide:
    return Provide(lambda: value, sync_to_thread=False)
