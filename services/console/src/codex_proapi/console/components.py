"""Every object of one console, made once; handlers get each by its name here.

Each class adds objects to those of the class before, in the order they are made. Clients and other
things to close are opened by `app.py` and passed in.
"""

import functools
from collections.abc import Callable

import httpx
import msgspec
from redis.asyncio import Redis

from codex_proapi.commons.accounts.cooldowns import CooldownStore
from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.accounts.quota_store import QuotaStore
from codex_proapi.commons.accounts.refresher import CredentialRefresher
from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.commons.api_keys.store import KeyStore
from codex_proapi.commons.cluster.live_settings import LiveSettingsStore
from codex_proapi.commons.cluster.replicas import ReplicaStore
from codex_proapi.commons.cluster.upstream_drift import UpstreamDriftStore
from codex_proapi.commons.cluster.usage_roll_up import UsageRollUp
from codex_proapi.commons.codex.identity import Identity
from codex_proapi.commons.codex.token_endpoint import TokenEndpoint
from codex_proapi.commons.prices.price_store import PriceStore
from codex_proapi.commons.redis import operator_keys
from codex_proapi.commons.redis.locks import Locks
from codex_proapi.commons.usage.counters import UsageStore
from codex_proapi.commons.usage.log_stream import LogStream
from codex_proapi.commons.usage.packing import UsagePacker
from codex_proapi.console.accounts.connection_test import ConnectionTest
from codex_proapi.console.accounts.device_login import DeviceLogins
from codex_proapi.console.accounts.login_service import LoginService
from codex_proapi.console.accounts.pending_logins import PendingLogins
from codex_proapi.console.alerts.alert_loop import AlertLoop
from codex_proapi.console.alerts.alert_store import AlertStore
from codex_proapi.console.alerts.delivery.deliverer import Deliverer
from codex_proapi.console.alerts.destinations import DestinationStore
from codex_proapi.console.api.account_bodies import AccountBodies
from codex_proapi.console.api.administration.sign_in import SignInService
from codex_proapi.console.api.model_check import CheckedSettings, ModelCheck
from codex_proapi.console.api.owners.claims import OwnerClaims
from codex_proapi.console.api.owners.entry import OwnerEntry
from codex_proapi.console.api.owners.records import OwnerBodies
from codex_proapi.console.api.settings import History
from codex_proapi.console.api.usage import Names
from codex_proapi.console.auth.administrator import Administrator
from codex_proapi.console.auth.attempts import Attempts
from codex_proapi.console.auth.audit import Audit
from codex_proapi.console.auth.known_browsers import KnownBrowsers
from codex_proapi.console.auth.passwords import Passwords
from codex_proapi.console.auth.script_tokens import ScriptTokens
from codex_proapi.console.auth.sessions import Sessions
from codex_proapi.console.auth.sign_in_links import SignInLinks
from codex_proapi.console.connection.route_test import RouteTest
from codex_proapi.console.holders.key_records import KeyRecords
from codex_proapi.console.holders.key_sessions import KeySessions
from codex_proapi.console.live.changes import Changes
from codex_proapi.console.live.event_streams import Gate
from codex_proapi.console.live.log_broadcast import LogBroadcast
from codex_proapi.console.metrics import Metrics, RedisWork
from codex_proapi.console.owners.owner_access import OwnerAccesses
from codex_proapi.console.owners.owner_store import OwnerStore
from codex_proapi.console.resets.backend_calls import ResetCalls
from codex_proapi.console.resets.redeeming import Resets
from codex_proapi.console.resets.reset_store import ResetStore
from codex_proapi.console.settings import ConsoleSettings
from codex_proapi.console.version import own_version
from codex_proapi.console.views.alert_facts import AlertFacts
from codex_proapi.console.views.sources import Sources
from codex_proapi.console.what_if.recorded import RecordReader
from codex_proapi.console.what_if.what_if import WhatIf


class Foundations(msgspec.Struct, frozen=True, kw_only=True):
    """Objects that all others are made from."""

    settings: ConsoleSettings
    clock: Callable[[], float]
    metrics: Metrics
    redis: Redis
    blocking_redis: Redis
    http: httpx.AsyncClient
    passwords: Passwords

    @property
    def cipher(self) -> CredentialCipher:
        """Encrypts and decrypts what is stored."""
        return CredentialCipher(self.settings.encryption_keys)

    @property
    def identity(self) -> Identity:
        """The client identity sent to the backend and the authorization server."""
        return Identity(
            originator=self.settings.codex_originator,
            version=self.settings.codex_client_version,
            product_version=own_version(),
        )


class Stores:
    """The stores that both services share."""

    def __init__(self, ground: Foundations) -> None:
        redis, cipher = ground.redis, ground.cipher
        self.accounts = AccountStore(redis, cipher)
        self.cooldowns = CooldownStore(redis)
        self.quotas = QuotaStore(redis)
        self.keys = KeyStore(redis, cipher)
        self.usage = UsageStore(redis)
        self.usage_roll_up = UsageRollUp(redis, version=own_version())
        self.prices = PriceStore(redis)
        self.logs = LogStream(redis, blocking_redis=ground.blocking_redis)
        self.history = History(UsagePacker(redis), self.logs)
        self.replicas = ReplicaStore(redis)
        self.live_settings = LiveSettingsStore(redis)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {', '.join(sorted(vars(self)))}>"


class Administration(Stores):
    """The administrator, sessions, tokens and the audit; sessions of the holders of API keys."""

    def __init__(self, ground: Foundations) -> None:
        super().__init__(ground)
        redis, clock = ground.redis, ground.clock
        self.administrator = Administrator(redis, ground.passwords, clock=clock)
        self.sessions = Sessions(redis, clock=clock)
        self.script_tokens = ScriptTokens(redis, clock=clock)
        self.audit = Audit(redis, self.logs, clock=clock)
        self.attempts = Attempts(redis)
        self.key_sessions = KeySessions(redis, self.keys, clock=clock)
        self.key_records = KeyRecords(redis, self.logs, self.usage)
        self.owners = OwnerStore(redis)
        self.owner_accesses = OwnerAccesses(redis, clock=clock)
        self.owner_entry = OwnerEntry(
            accesses=self.owner_accesses,
            attempts=self.attempts,
            audit=self.audit,
            metrics=ground.metrics,
        )
        self.owner_claims = OwnerClaims(
            accounts=self.accounts,
            owners=self.owners,
            keys=self.keys,
            attempts=self.attempts,
            clock=clock,
        )
        self.owner_bodies = OwnerBodies(
            owners=self.owners,
            accesses=self.owner_accesses,
            accounts=self.accounts,
            clock=clock,
        )
        self.sign_ins = SignInService(
            administrator=self.administrator,
            sessions=self.sessions,
            attempts=self.attempts,
            audit=self.audit,
            metrics=ground.metrics,
            browsers=KnownBrowsers(ground.cipher, clock=clock),
            links=SignInLinks(redis),
        )
        self.gate = Gate(
            administrator=self.administrator,
            sessions=self.sessions,
            tokens=self.script_tokens,
            metrics=ground.metrics,
        )


class Logins(Administration):
    """Logins of accounts, their refresh and their connection test."""

    def __init__(self, ground: Foundations) -> None:
        super().__init__(ground)
        redis, clock, settings, metrics = (
            *(ground.redis, ground.clock),
            *(ground.settings, ground.metrics),
        )
        endpoint = TokenEndpoint(
            ground.http,
            issuer=settings.codex_auth_url,
            client_id=settings.codex_client_id,
            identity=ground.identity.headers,
        )
        self.refresher = CredentialRefresher(
            self.accounts,
            endpoint,
            redis,
            clock=clock,
            hook=lambda _account, outcome: metrics.refreshes.labels(outcome).inc(),
        )
        pending = PendingLogins(redis, ground.cipher, clock=clock)
        self.login_service = LoginService(
            settings=settings,
            accounts=self.accounts,
            endpoint=endpoint,
            pending=pending,
            clock=clock,
            hook=lambda way, outcome: metrics.logins.labels(way.value, outcome).inc(),
        )
        self.devices = DeviceLogins(
            login_service=self.login_service, endpoint=endpoint, pending=pending, clock=clock
        )
        self.connection_test = ConnectionTest(
            ground.http, self.refresher, settings=settings, identity=ground.identity
        )
        self.resets = Resets(
            ResetCalls(
                ground.http,
                self.refresher,
                base_url=settings.codex_base_url,
                identity=ground.identity,
            ),
            ResetStore(redis),
            cooldowns=self.cooldowns,
            quotas=self.quotas,
            clock=clock,
            hook=lambda outcome: metrics.reset_redemptions.labels(outcome).inc(),
        )


class Pages(Logins):
    """What pages and live views are made from."""

    def __init__(self, ground: Foundations) -> None:
        super().__init__(ground)
        self.names = Names(self.accounts, self.keys)
        self.model_check = ModelCheck(
            ground.redis,
            accounts=self.accounts,
            live_settings=self.live_settings,
            replicas=self.replicas,
        )
        self.checked_settings = CheckedSettings(self.live_settings, self.model_check)
        self.bodies = AccountBodies(
            accounts=self.accounts,
            cooldowns=self.cooldowns,
            quotas=self.quotas,
            resets=self.resets.store,
            replicas=self.replicas,
            clock=ground.clock,
        )
        failed = functools.partial(ground.metrics.redis_failed, RedisWork.FOLLOW)
        self.log_broadcast = LogBroadcast(self.logs, failed=failed)
        self.changes = Changes(ground.redis, self.log_broadcast)
        self.sources = Sources(
            settings=ground.settings,
            clock=ground.clock,
            version=own_version(),
            redis=ground.redis,
            accounts=self.accounts,
            cooldowns=self.cooldowns,
            quotas=self.quotas,
            resets=self.resets.store,
            keys=self.keys,
            usage=self.usage,
            prices=self.prices,
            logs=self.logs,
            replicas=self.replicas,
            live_settings=self.live_settings,
            sessions=self.sessions,
            script_tokens=self.script_tokens,
            audit=self.audit,
        )


class Components(Pages):
    """Everything a handler may ask for."""

    def __init__(self, ground: Foundations) -> None:
        super().__init__(ground)
        redis, clock, settings = ground.redis, ground.clock, ground.settings
        records = RecordReader(
            accounts=self.accounts,
            quotas=self.quotas,
            usage=self.usage,
            live_settings=self.live_settings,
        )
        self.what_if = WhatIf(records, clock=clock)
        self.destinations = DestinationStore(redis, ground.cipher)
        self.alert_store = AlertStore(redis)
        self.drift = UpstreamDriftStore(redis)
        self.route_test = RouteTest(settings)
        self.deliverer = Deliverer(
            self.destinations,
            settings.alert_proxy_rules,
            allowed=settings.alert_networks,
            console=settings.public_url,
            clock=clock,
            read_zone=self.live_settings.time_zone,
        )
        self.alert_loop = AlertLoop(
            store=self.alert_store,
            destinations=self.destinations,
            deliverer=self.deliverer,
            read_facts=AlertFacts(self.sources, self.drift, self.alert_store).read,
            locks=Locks(
                redis,
                lambda _name: operator_keys.alert_lock(),
                seconds=operator_keys.ALERT_LOCK_SECONDS,
            ),
            metrics=ground.metrics,
            clock=clock,
        )
