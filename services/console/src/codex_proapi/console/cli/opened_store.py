"""The stores as a command uses them: opened for one command, also while the services run."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.commons.api_keys.store import KeyStore
from codex_proapi.commons.cluster.live_settings import LiveSettingsStore
from codex_proapi.commons.cluster.replicas import ReplicaStore
from codex_proapi.commons.cluster.store_check import StoreCheck
from codex_proapi.commons.redis.clients import connect
from codex_proapi.commons.runtime.errors import SettingsError
from codex_proapi.commons.runtime.settings import from_environ
from codex_proapi.commons.usage.calendar import UTC, Calendar, calendar_of, machine_zone
from codex_proapi.commons.usage.log_stream import LogStream
from codex_proapi.console.alerts.alert_store import AlertStore
from codex_proapi.console.alerts.destinations import DestinationStore
from codex_proapi.console.auth.administrator import Administrator
from codex_proapi.console.auth.audit import Audit, AuditEvent
from codex_proapi.console.auth.passwords import Passwords
from codex_proapi.console.auth.script_tokens import ScriptTokens
from codex_proapi.console.auth.sessions import Sessions
from codex_proapi.console.auth.sign_in_links import SignInLinks
from codex_proapi.console.cli.extensions import embedded_store
from codex_proapi.console.settings import ConsoleSettings

T = TypeVar("T")

ACTOR = "cli"
"""Who the audit says did what a command did."""
READ = ("REDIS_URL", "ENCRYPTION_KEYS")
"""Settings a command reads; each may come from a file (`…_FILE`). No other setting can stop it."""

KEYS_MISSING = (
    "ENCRYPTION_KEYS (or ENCRYPTION_KEYS_FILE) is required with REDIS_URL: the keys that the "
    "gateways and consoles of this Redis have; none is made up for it."
)
STORE_MISSING = (
    "REDIS_URL is not set, and no embedded Redis is installed here: set REDIS_URL and "
    "ENCRYPTION_KEYS as the console has them."
)


class OpenedStore:
    """What commands read and change. An async context manager that closes its connections.

    Args:
        settings: Where the store is, and its encryption keys.
        any_keys: Open it also with encryption keys that are not those of the stored data.
        patience: Seconds that one command of Redis may take.
        zone: IANA name of the zone that times are shown in where the team has not chosen one.
    """

    def __init__(
        self,
        settings: ConsoleSettings,
        *,
        any_keys: bool = False,
        patience: float = 1.0,
        zone: str = UTC.zone,
    ) -> None:
        self._any_keys = any_keys
        self._zone = zone
        self.calendar = UTC
        """The zone that times are shown in, once the store is open."""
        self.redis = self._redis = connect(settings.redis_url, timeout=patience)
        self.encryption_keys = settings.encryption_keys
        self.cipher = cipher = CredentialCipher(settings.encryption_keys)
        self.check = StoreCheck(self._redis, cipher)
        self.accounts = AccountStore(self._redis, cipher)
        self.keys = KeyStore(self._redis, cipher)
        self.replicas = ReplicaStore(self._redis)
        self.tokens = ScriptTokens(self._redis, clock=time.time)
        self.administrator = Administrator(self._redis, Passwords(), clock=time.time)
        self.sign_in_links = SignInLinks(self._redis)
        self.sessions = Sessions(self._redis, clock=time.time)
        self.destinations = DestinationStore(self._redis, cipher)
        self.alerts = AlertStore(self._redis)
        logs = LogStream(self._redis, blocking_redis=self._redis)
        self.audit = Audit(self._redis, logs, clock=time.time, write_log=False)

    def __repr__(self) -> str:
        return "<OpenedStore>"

    async def __aenter__(self) -> Self:
        try:
            await self.check.check(seal=not self._any_keys)
            chosen = (await LiveSettingsStore(self.redis).read()).time_zone
            self.calendar = calendar_of(chosen or self._zone)
        except BaseException:
            await self._redis.aclose()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._redis.aclose()

    async def note(self, action: str, **facts: Any) -> None:
        """Record in the audit what a command did; `facts` are fields of `AuditEvent`."""
        await self.audit.note(AuditEvent(action=action, actor=ACTOR, ip="", **facts))


@contextlib.asynccontextmanager
async def opened(
    environ: Mapping[str, str], *, any_keys: bool = False, patience: float = 1.0
) -> AsyncIterator[OpenedStore]:
    """The store that an environment names; without REDIS_URL the embedded one, if installed.

    With `any_keys` it is opened whatever its encryption keys are; `patience` is for one command.
    """
    async with contextlib.AsyncExitStack() as stack:
        if not names_redis(environ):
            embedded = embedded_store()
            if embedded is None:
                raise SettingsError([STORE_MISSING])
            environ = await stack.enter_async_context(embedded(environ))
        settings, zone = store_settings(environ), machine_zone(environ)
        yield await stack.enter_async_context(
            OpenedStore(settings, any_keys=any_keys, patience=patience, zone=zone)
        )


def with_store(
    environ: Mapping[str, str], action: Callable[[OpenedStore], Awaitable[T]]
) -> tuple[T, Calendar]:
    """Do something with the store of this installation; what came of it, and the zone of its times."""

    async def do() -> tuple[T, Calendar]:
        async with opened(environ) as store:
            return await action(store), store.calendar

    return asyncio.run(do())


def store_settings(environ: Mapping[str, str]) -> ConsoleSettings:
    """The settings a command needs; SettingsError if one is missing or wrong."""
    faults = key_faults(environ)
    if faults:
        raise SettingsError(faults)
    names = [name for base in READ for name in (base, f"{base}_FILE")]
    return from_environ(ConsoleSettings, {n: environ[n] for n in names if environ.get(n)})


def names_redis(environ: Mapping[str, str]) -> bool:
    """Whether an environment says where Redis is."""
    return bool(environ.get("REDIS_URL") or environ.get("REDIS_URL_FILE"))


def key_faults(environ: Mapping[str, str]) -> list[str]:
    """A fault where REDIS_URL is set and ENCRYPTION_KEYS is not.

    Data encrypted under a key generated here could not be decrypted by the services.
    """
    keys = environ.get("ENCRYPTION_KEYS") or environ.get("ENCRYPTION_KEYS_FILE")
    return [KEYS_MISSING] if names_redis(environ) and not keys else []
