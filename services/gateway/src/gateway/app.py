"""The composition root: makes every object of one replica, once, and hands them over.

`build` needs a running event loop. Nothing is asked of Redis or upstream before `start`.
"""

import importlib.metadata
import secrets
import socket
import sys
import time

import httpx
import structlog
from prometheus_client import GC_COLLECTOR, PLATFORM_COLLECTOR, PROCESS_COLLECTOR, CollectorRegistry

from commons.accounts.cipher import CredentialCipher
from commons.accounts.cooldowns import CooldownStore
from commons.accounts.quota import QuotaStore
from commons.accounts.refresher import CredentialRefresher
from commons.accounts.store import AccountStore, AccountView
from commons.accounts.survey import Surveyor
from commons.accounts.token_endpoint import TokenEndpoint
from commons.clock import SharedClock
from commons.errors import StoreUnavailable
from commons.keys import KeyStore
from commons.live_settings import LiveSettings, LiveSettingsStore
from commons.loop_lag import watch_lag
from commons.redis_gate import Gate
from commons.redis_line import connect_line
from commons.redis_pool import connect, connect_for_tails, mapped
from commons.replicas import Replica, ReplicaStore
from commons.responses import ResponseStore
from commons.tasks import Tasks
from commons.trust import client_context
from commons.usage import UsageStore
from gateway.dialects.codex_requests import Identity
from gateway.metrics import Metrics
from gateway.relay.account_calls import AccountCalls
from gateway.relay.allowances import Places
from gateway.relay.books import RedisBooks
from gateway.relay.brakes import Egress, RetryBudget
from gateway.relay.breakers import Breakers
from gateway.relay.catalogues import Catalogues
from gateway.relay.ciphertexts import Ciphertexts
from gateway.relay.dispatch import Desk, Dispatcher
from gateway.relay.exchange_log import ExchangeLog
from gateway.relay.grace import Grace
from gateway.relay.knowledge import Knowledge
from gateway.relay.ledger import Ledger
from gateway.relay.lending import Lending
from gateway.relay.lessons import Lessons
from gateway.relay.post_client import PostClient
from gateway.relay.pulse import Pulse
from gateway.relay.quota_poll import QuotaPoll
from gateway.relay.quotas import Quotas
from gateway.relay.rotation import Rotation
from gateway.relay.shares import Shares
from gateway.relay.slots import Slots
from gateway.relay.upstream import Upstream
from gateway.settings import GatewaySettings
from gateway.web.endpoint import Endpoint
from gateway.web.failures import refuse
from gateway.web.floor import Floor
from gateway.web.front import Front
from gateway.web.house import Hands, House
from gateway.web.keys import Admission
from gateway.web.revocations import Revocations
from gateway.web.routes import Rooms, routes
from gateway.web.upkeep import Shown, Switches, Upkeep

log = structlog.get_logger(__name__)


def build(settings: GatewaySettings) -> "Gateway":
    """A gateway that is ready to be started."""
    return Gateway(settings)


def own_version() -> str:
    """The version of this distribution."""
    return importlib.metadata.version("codex-proapi-gateway")


class Gateway:
    """One replica of the gateway."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings
        self._tasks = Tasks()
        self._started = False
        self._clock = SharedClock(time.time)
        quiet = settings.log_level in {"warning", "error"}
        self._log = ExchangeLog(sys.stdout, quiet=quiet)
        self.metrics = Metrics(_registry())
        self.metrics.build.labels(own_version()).set(1)
        self.floor = Floor(most=settings.max_concurrent)
        self._identity = Identity(
            originator=settings.codex_originator,
            version=settings.codex_client_version,
            product_version=own_version(),
        )
        self._open_stores()
        self._open_upstream()
        self._open_relay()
        self.asgi = self._open_doors()

    def __repr__(self) -> str:
        return f"<Gateway on port {self._settings.port} with {self.floor!r}>"

    async def start(self) -> None:
        """Read what there is to know, begin the background work; once, however often called."""
        if self._started:
            return
        self._started = True
        self._switches.apply(LiveSettings())
        try:
            await self._upkeep.round()
            await self._catalogues.load()
        except StoreUnavailable as error:  # `/readyz` says so; the rounds go on trying
            log.warning("gateway.waits", error=str(error))
        for name, work in (
            ("pulse", self._pulse.run()),
            ("grace", self._grace.run()),
            ("ledger", self._ledger.run()),
            ("settlements", self._ledger.run_settlements()),
            ("ties", self._ledger.run_ties()),
            ("catalogues", self._catalogues.run()),
            ("quotas", self._quotas.run()),
            ("places", self._places.run()),
            ("slots", self._slots.run()),
            ("revocations", self._revocations.run()),
            ("upkeep", self._upkeep.run()),
            ("loop lag", watch_lag(self.metrics.loop_lag.observe)),
        ):
            self._tasks.start(work, name=name)

    def begin_drain(self) -> None:
        """Say no at `/readyz`; go on serving."""
        self.floor.draining = True
        self.metrics.draining.set(1)

    def end_drain(self) -> None:
        """End what still streams with an honest error."""
        self.floor.end_all()

    async def close(self) -> None:
        """Write the rest and let everything go."""
        self.begin_drain()
        await self._tasks.close()
        self._grace.close()
        await self._slots.close()
        await self._upkeep.leave()
        await self._ledger.close()
        await self._refresher.close()
        self._upstream.lingering.close()
        self._client.close()
        await self._http.aclose()
        if self._line is not None:
            await self._line.aclose()
        await self._tails.aclose()
        await self._lookout.aclose()
        await self._redis.aclose()

    def _open_stores(self) -> None:
        settings = self._settings
        cipher = CredentialCipher(settings.encryption_keys)
        self._gate = Gate(grace=settings.redis_grace_seconds)
        self._redis = connect(settings.redis_url, gate=self._gate)
        self._accounts = AccountStore(self._redis, cipher)
        self._view = AccountView(self._accounts)
        self._keys = KeyStore(self._redis, cipher)
        self._cooldowns = CooldownStore(self._redis)
        self._line = connect_line(settings.redis_url)
        self._lookout = connect(settings.redis_url)
        self._surveyor = Surveyor(
            self._lookout, line=self._line, clock=self._clock, hook=self.metrics.surveyed
        )
        self._admission = Admission(
            self._keys, policy=settings.api_key_policy, clock=self._clock, gate=self._gate
        )
        self._usage = UsageStore(self._redis)
        books = RedisBooks(
            self._redis,
            usage=self._usage,
            surveyor=Surveyor(self._redis),
            cooldowns=self._cooldowns,
        )
        self._ledger = Ledger(books, self.metrics)
        self._grace = Grace(
            self._surveyor,
            accounts=self._view,
            keys=self._admission,
            gate=self._gate,
            metrics=self.metrics,
            clock=self._clock,
            returned=self._ledger.again,
        )
        self._replica_id = secrets.token_hex(6)
        self._tails = connect_for_tails(settings.redis_url, max_connections=1)
        self._slots = Slots(
            self._redis,
            tails=self._tails,
            replica=self._replica_id,
            tasks=self._tasks,
            clock=self._clock,
        )
        self.metrics.waiting.set_function(lambda: self._slots.waiting)
        self._places = Places(self._redis, clock=self._clock)
        self._responses = ResponseStore(self._redis, cipher)
        self._shares = Shares(
            usage=self._usage, quotas=QuotaStore(self._redis), view=self._view, clock=self._clock
        )

    def _open_upstream(self) -> None:
        settings, identity = self._settings, self._identity
        self._client = PostClient(f"{settings.codex_base_url}/responses")
        self._upstream = Upstream(self._client)
        self._pulse = Pulse()
        self._pulse.join(self._upstream.lingering)
        self._pulse.join(self._client)
        self._http = httpx.AsyncClient(
            verify=client_context(), trust_env=False, follow_redirects=False
        )
        endpoint = TokenEndpoint(
            self._http,
            issuer=settings.codex_auth_url,
            client_id=settings.codex_client_id,
            identity={"originator": identity.originator, "user-agent": identity.user_agent},
        )
        self._refresher = CredentialRefresher(
            self._accounts, endpoint, self._redis, clock=self._clock, hook=self._refreshed
        )
        calls = AccountCalls(
            self._http,
            base_url=settings.codex_base_url,
            identity=identity,
            view=self._view,
            refresher=self._refresher,
        )
        self._catalogues = Catalogues(
            self._redis, calls=calls, view=self._view, clock=self._clock, metrics=self.metrics
        )
        self._quota_poll = QuotaPoll(
            self._redis,
            calls=calls,
            view=self._view,
            cooldowns=self._cooldowns,
            clock=self._clock,
        )
        self._quotas = Quotas(
            self._redis,
            poll=self._quota_poll,
            view=self._view,
            clock=self._clock,
            figures=self.metrics.quota,
        )

    def _open_relay(self) -> None:
        knowledge = Knowledge(self._catalogues, self._quotas)
        breakers = Breakers(self._redis, self._cooldowns, clock=self._clock)
        lessons = Lessons(
            store=self._accounts,
            cooldowns=self._cooldowns,
            breakers=breakers,
            ledger=self._ledger,
            metrics=self.metrics,
            clock=self._clock,
        )
        self._rotation = Rotation(
            view=self._view,
            surveyor=self._grace,
            refresher=self._refresher,
            breakers=breakers,
            lessons=lessons,
            clock=self._clock,
            facts=knowledge,
        )
        self._dispatcher = Dispatcher(
            lending=Lending(
                self._rotation,
                self._slots,
                gate=self._gate,
                clock=self._clock,
                metrics=self.metrics,
            ),
            lessons=lessons,
            upstream=self._upstream,
            ciphertexts=Ciphertexts(self._redis, self._ledger),
            ledger=self._ledger,
            desk=Desk(
                identity=self._identity,
                clock=self._clock,
                metrics=self.metrics,
                budget=RetryBudget(),
                egress=Egress(self._clock),
                observer=knowledge,
            ),
        )

    def _open_doors(self) -> Front:
        settings = self._settings
        house = House(
            admission=self._admission,
            floor=self.floor,
            catalogues=self._catalogues,
            dispatcher=self._dispatcher,
            responses=self._responses,
            places=self._places,
            hands=Hands(
                clock=self._clock,
                metrics=self.metrics,
                pulse=self._pulse,
                tasks=self._tasks,
                slots=self._slots,
                readers=(self._ledger.settle, self.metrics.settle, self._log.settle),
                patience=settings.commit_patience,
            ),
        )
        self._open_rounds(house)
        rooms = Rooms(
            admission=self._admission,
            catalogues=self._catalogues,
            shares=self._shares,
            floor=self.floor,
            metrics=self.metrics,
            ping=self._ping,
            version=own_version(),
        )
        hot = {
            "/chat/completions": Endpoint("chat", house),
            "/responses": Endpoint("responses", house),
            "/responses/compact": Endpoint("compact", house),
        }
        return Front(hot=hot, rest=routes(rooms), refuse=refuse)

    def _open_rounds(self, house: House) -> None:
        self._revocations = Revocations(self._keys, admission=self._admission, floor=self.floor)
        self._switches = Switches(
            self._settings,
            admission=self._admission,
            rotation=self._rotation,
            slots=self._slots,
            catalogues=self._catalogues,
            house=house,
            poll=self._quota_poll,
            usage=self._usage,
        )
        self._upkeep = Upkeep(
            Replica(
                id=self._replica_id,
                service="gateway",
                host=socket.gethostname(),
                version=own_version(),
                started_at=int(self._clock()),
            ),
            replicas=ReplicaStore(self._redis),
            live=LiveSettingsStore(self._redis),
            switches=self._switches,
            accounts=self._accounts,
            view=self._view,
            shown=Shown(clock=self._clock, floor=self.floor, metrics=self.metrics),
        )

    async def _ping(self) -> bool:
        """Whether Redis answers, or need not yet."""
        if self._gate.in_grace():
            return True
        try:
            with mapped():
                await self._redis.ping()
        except StoreUnavailable:
            return False
        return True

    def _refreshed(self, account_id: str, outcome: str) -> None:
        """A refresh has ended, as the refresher tells it."""
        del account_id
        self.metrics.refreshes.labels(outcome).inc()


def _registry() -> CollectorRegistry:
    """A registry of our own that also describes the process."""
    registry = CollectorRegistry()
    for collector in (PROCESS_COLLECTOR, PLATFORM_COLLECTOR, GC_COLLECTOR):
        registry.register(collector)
    return registry
