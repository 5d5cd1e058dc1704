"""Every object of one console, made once; the handlers ask for each by its name here.

Each class adds its objects to those of the one before, which is also the order they are made in.
What is opened and closed is `app.py`'s: the clients come from there.
"""

import functools
from collections.abc import Callable

import httpx
import msgspec
from redis.asyncio import Redis

from commons.accounts.cipher import CredentialCipher
from commons.accounts.cooldowns import CooldownStore
from commons.accounts.quota import QuotaStore
from commons.accounts.refresher import CredentialRefresher
from commons.accounts.store import AccountStore
from commons.accounts.token_endpoint import TokenEndpoint
from commons.keys import KeyStore
from commons.live_settings import LiveSettingsStore
from commons.log_stream import LogStream
from commons.replicas import ReplicaStore
from commons.usage import UsageStore
from console.admin.administrator import Administrator
from console.admin.attempts import Attempts
from console.admin.audit import Audit
from console.admin.passwords import Passwords
from console.admin.script_tokens import ScriptTokens
from console.admin.sessions import Sessions
from console.login.desk import LoginDesk
from console.login.device import DeviceLogins
from console.login.pending import PendingLogins
from console.login.trial import Trial
from console.metrics import Metrics, RedisWork
from console.settings import ConsoleSettings
from console.web.account_bodies import AccountBodies
from console.web.changes import Changes
from console.web.fan import LogFan
from console.web.pages import Sources
from console.web.sign_in import SignInDesk
from console.web.streams import Gate
from console.web.usage import Names
from console.web.version import own_version


class Ground(msgspec.Struct, frozen=True, kw_only=True):
    """What everything stands on."""

    settings: ConsoleSettings
    clock: Callable[[], float]
    metrics: Metrics
    redis: Redis
    tails: Redis
    http: httpx.AsyncClient
    passwords: Passwords

    @property
    def cipher(self) -> CredentialCipher:
        """Opens what is sealed."""
        return CredentialCipher(self.settings.encryption_keys)

    @property
    def identity(self) -> dict[str, str]:
        """The headers that say who we are: the CLI's form, with this product at the end."""
        originator, version = self.settings.codex_originator, self.settings.codex_client_version
        system = "(Debian 12.0.0; x86_64) xterm"
        agent = f"{originator}/{version} {system} (codex-proapi; {own_version()})"
        return {"originator": originator, "user-agent": agent}


class Stores:
    """What both services share."""

    def __init__(self, ground: Ground) -> None:
        redis, cipher = ground.redis, ground.cipher
        self.accounts = AccountStore(redis, cipher)
        self.cooldowns = CooldownStore(redis)
        self.quotas = QuotaStore(redis)
        self.keys = KeyStore(redis, cipher)
        self.usage = UsageStore(redis)
        self.logs = LogStream(redis, tails=ground.tails)
        self.replicas = ReplicaStore(redis)
        self.live_settings = LiveSettingsStore(redis)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {', '.join(sorted(vars(self)))}>"


class Administration(Stores):
    """The administrator, and what the administrator did."""

    def __init__(self, ground: Ground) -> None:
        super().__init__(ground)
        redis, clock = ground.redis, ground.clock
        self.administrator = Administrator(redis, ground.passwords, clock=clock)
        self.sessions = Sessions(redis, clock=clock)
        self.script_tokens = ScriptTokens(redis, clock=clock)
        self.audit = Audit(redis, self.logs, clock=clock)
        self.sign_ins = SignInDesk(
            administrator=self.administrator,
            sessions=self.sessions,
            attempts=Attempts(redis),
            audit=self.audit,
            metrics=ground.metrics,
        )
        self.gate = Gate(
            administrator=self.administrator,
            sessions=self.sessions,
            tokens=self.script_tokens,
            metrics=ground.metrics,
        )


class Logins(Administration):
    """The roads an account comes in by, and its renewal."""

    def __init__(self, ground: Ground) -> None:
        super().__init__(ground)
        redis, clock, settings, metrics = (
            *(ground.redis, ground.clock),
            *(ground.settings, ground.metrics),
        )
        endpoint = TokenEndpoint(
            ground.http,
            issuer=settings.codex_auth_url,
            client_id=settings.codex_client_id,
            identity=ground.identity,
        )
        self.refresher = CredentialRefresher(
            self.accounts,
            endpoint,
            redis,
            clock=clock,
            hook=lambda _account, outcome: metrics.refreshes.labels(outcome).inc(),
        )
        pending = PendingLogins(redis, ground.cipher, clock=clock)
        self.desk = LoginDesk(
            settings=settings,
            accounts=self.accounts,
            endpoint=endpoint,
            pending=pending,
            clock=clock,
            hook=lambda way, outcome: metrics.logins.labels(way.value, outcome).inc(),
        )
        self.devices = DeviceLogins(desk=self.desk, endpoint=endpoint, pending=pending, clock=clock)
        self.trial = Trial(ground.http, self.refresher, settings=settings, identity=ground.identity)


class Parts(Logins):
    """Everything a handler may be given."""

    def __init__(self, ground: Ground) -> None:
        super().__init__(ground)
        self.names = Names(self.accounts, self.keys)
        self.bodies = AccountBodies(
            accounts=self.accounts,
            cooldowns=self.cooldowns,
            quotas=self.quotas,
            replicas=self.replicas,
            clock=ground.clock,
        )
        failed = functools.partial(ground.metrics.redis_failed, RedisWork.TAIL)
        self.fan = LogFan(self.logs, failed=failed)
        self.changes = Changes(ground.redis, self.fan)
        self.sources = Sources(
            settings=ground.settings,
            clock=ground.clock,
            version=own_version(),
            redis=ground.redis,
            accounts=self.accounts,
            cooldowns=self.cooldowns,
            quotas=self.quotas,
            keys=self.keys,
            usage=self.usage,
            logs=self.logs,
            replicas=self.replicas,
            live_settings=self.live_settings,
            sessions=self.sessions,
            script_tokens=self.script_tokens,
            audit=self.audit,
        )
