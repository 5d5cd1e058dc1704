"""A gateway on loopback before a simulated backend, as the journeys drive it: real sockets, real Redis."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import httpx
import msgspec
from cryptography.fernet import Fernet
from support.free_ports import loopback_listener
from support.redis_clients import connect_patiently

from codex_proapi.commons.accounts.cooldowns import CooldownStore
from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.accounts.model import AccountState, NewAccount
from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.commons.api_keys.store import ApiKey, KeyStore
from codex_proapi.commons.cluster.live_settings import KeyPolicy
from codex_proapi.commons.codex.claims import claims_of_login
from codex_proapi.commons.http.server import HttpServer, configure
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.commons.usage.exchange_record import ExchangeRecord
from codex_proapi.commons.usage.log_stream import LogEntry, LogStream
from codex_proapi.gateway.app import Gateway, build
from codex_proapi.gateway.server.http_limits import HTTP_LIMITS
from codex_proapi.gateway.settings import GatewaySettings
from codex_proapi.simulator import Simulator

KEY = Fernet.generate_key().decode()
"""One encryption key for all replicas of a test."""
PATIENCE_SECONDS = 60.0
"""How long a test waits for what must come about: a busy machine is no fault of it."""
AGAIN_SECONDS = 150.0
"""The same, where a call that a busy machine has failed is made again after a minute."""


class Replica:
    """One gateway process' worth of objects, listening on a port of its own."""

    def __init__(self, gateway: Gateway, server: HttpServer, port: int) -> None:
        self.gateway: Any = gateway
        self.server = server
        self.url = f"http://127.0.0.1:{port}"
        self.port = port

    @property
    def connections(self) -> list[Any]:
        """The connections of its clients."""
        return list(self.server.server_state.connections)


class Stage:
    """A backend, a Redis and one or more gateways, with a client in front."""

    def __init__(
        self, simulator: Simulator, redis_url: str, stack: contextlib.AsyncExitStack
    ) -> None:
        self.sim = simulator
        self._redis_url = redis_url
        self._stack = stack
        self.redis = connect_patiently(redis_url)
        cipher = CredentialCipher((KEY,))
        self.accounts = AccountStore(self.redis, cipher)
        self.keys = KeyStore(self.redis, cipher)
        self.cooldowns = CooldownStore(self.redis)
        self.logs = LogStream(self.redis)
        self.replicas: list[Replica] = []
        self.client = httpx.AsyncClient(timeout=PATIENCE_SECONDS)

    async def log_in(
        self, *names: str, expires_in: float | None = None, age: float = 0
    ) -> list[str]:
        """Add simulated accounts, a second apart in age; gives our ids.

        `expires_in` are seconds that their access tokens live yet, `age` those that they have lived.
        """
        now = int(time.time())
        return [
            await log_in(
                self.accounts,
                self.sim,
                name,
                created_at=now + place,
                expires_in=expires_in,
                age=age,
            )
            for place, name in enumerate(names)
        ]

    async def make_key(self, **fields: Any) -> tuple[ApiKey, str]:
        """A key and its secret."""
        return await self.keys.create("test", **fields)

    async def add_replica(self, **changes: Any) -> Replica:
        """Start one more gateway."""
        settings = GatewaySettings(
            redis_url=self._redis_url,
            encryption_keys=(KEY,),
            **{
                "codex_base_url": self.sim.base_url,
                "codex_auth_url": self.sim.auth_url,
                "api_key_policy": KeyPolicy.OPEN,
                "drain_seconds": 5.0,
                **changes,
            },
        )
        listener = loopback_listener()
        port = listener.getsockname()[1]
        gateway = build(settings)
        self._stack.push_async_callback(gateway.close)
        await gateway.start()
        config = configure(
            gateway.asgi,
            host="127.0.0.1",
            port=port,
            drain_seconds=5,
            limits=HTTP_LIMITS,
            fault_body=gateway.fault_body,
            direct=gateway.direct,
        )
        server = HttpServer(config, gateway, settle_seconds=0, drain_seconds=5)
        serving = asyncio.ensure_future(server._serve([listener]))

        async def stop() -> None:
            server.should_exit = server.force_exit = True
            with contextlib.suppress(asyncio.CancelledError):
                await serving

        self._stack.push_async_callback(stop)
        while not server.started:
            await asyncio.sleep(0.005)
        replica = Replica(gateway, server, port)
        self.replicas.append(replica)
        return replica

    async def chat(self, content: str = "say hello", **fields: Any) -> httpx.Response:
        """One chat completion, not streamed unless asked."""
        headers = fields.pop("headers", {})
        return await self.client.post(
            "/v1/chat/completions", json=a_chat(content, **fields), headers=headers
        )

    async def records(self, count: int = 1) -> list[ExchangeRecord]:
        """The settled exchanges, oldest first, once there are so many."""
        found: list[ExchangeRecord] = []
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            entries = await self.logs.page(count=1000)
            found = [e.entry.exchange for e in reversed(entries) if e.entry.exchange]
            if len(found) >= count:
                return sorted(found, key=lambda each: each.at)
            await asyncio.sleep(0.02)
        raise AssertionError(f"{len(found)} of {count} exchanges were settled")

    async def cooling(self) -> dict[str, str]:
        """Why accounts are passed over now, by their simulated name; a model's beside it."""
        names = {account.id: account.name for account in await self.accounts.list()}
        found = await self.cooldowns.all(names, now=time.time())
        return {
            " ".join(filter(None, (names[account_id], model))): cooldown.reason.value
            for account_id, by_model in found.items()
            for model, cooldown in by_model.items()
        }

    async def logged(self, request_id: str) -> LogEntry:
        """The entry that the log has of a request, waited for."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            for stored in await self.logs.page(count=1000):
                if stored.entry.request_id == request_id:
                    return stored.entry
            if time.monotonic() > deadline:
                raise AssertionError(f"nothing is logged of {request_id}")
            await asyncio.sleep(0.02)

    async def until_cooling(self, expected: dict[str, str]) -> None:
        """Wait until just these accounts are passed over: what an answer teaches is written after it."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (found := await self.cooling()) != expected:
            if time.monotonic() > deadline:
                raise AssertionError(f"{found}, not {expected}")
            await asyncio.sleep(0.02)

    async def state_of(self, account_id: str) -> AccountState | None:
        """The state of an account's login."""
        account = await self.accounts.get(account_id)
        return account.state if account else None

    def asked(self, name: str) -> int:
        """How often a simulated account was asked."""
        return sum(turn.account == name for turn in self.sim.turns)

    async def until_polled(self) -> None:
        """Wait until the first replica knows the models and the quota of all accounts, as after its start.

        A poll that comes later may renew a token, or end the cooldown of an account whose quota a
        fault has called spent. An account whose poll has failed is waited for no longer.
        """
        gateway = self.replicas[0].gateway
        lists, tracker = gateway.upstream.catalogues, gateway.upstream.quota_tracker

        def polled() -> bool:
            known = lists._kept.keys() & tracker._known.keys() | tracker._poll._failures.keys()
            return bool(tracker.changes.material and known >= gateway.stores.view.accounts.keys())

        deadline = time.monotonic() + AGAIN_SECONDS
        while not polled():
            assert time.monotonic() < deadline, "the accounts were not asked for models and quota"
            with contextlib.suppress(StoreUnavailable):
                await tracker.ask()  # the gateway's own rounds ask one account every five seconds
            await asyncio.sleep(0.01)

    async def until(self, condition: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until something is so."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError("it did not come about")
            await asyncio.sleep(0.01)


async def log_in(
    accounts: AccountStore,
    simulator: Simulator,
    name: str,
    *,
    created_at: int,
    expires_in: float | None = None,
    age: float = 0,
) -> str:
    """Add a simulated account; gives our id."""
    tokens = simulator.auth_json(name, expires_in=expires_in)["tokens"]
    claims = claims_of_login(tokens["id_token"], tokens["access_token"])
    account = await accounts.add(
        NewAccount(
            chatgpt_account_id=claims.chatgpt_account_id,
            chatgpt_user_id=claims.chatgpt_user_id,
            access_token=tokens["access_token"],
            refresh_token=tokens["refresh_token"],
            id_token=tokens["id_token"],
            expires_at=claims.expires_at,
            refreshed_at=int(time.time() - age),
            name=name,
            plan=claims.plan,
            created_at=created_at,
        )
    )
    return account.id


def a_chat(content: str = "say hello", **fields: Any) -> dict[str, Any]:
    """A chat request."""
    return {"model": "gpt-5.5", "messages": [{"role": "user", "content": content}], **fields}


def a_response(content: Any = "say hello", **fields: Any) -> dict[str, Any]:
    """A Responses request."""
    return {"model": "gpt-5.5", "input": content, **fields}


def events_of(body: bytes) -> list[Any]:
    """The JSON of every `data:` line of a stream; `[DONE]` as text."""
    lines = [line[6:] for line in body.split(b"\n") if line.startswith(b"data: ")]
    return ["[DONE]" if line == b"[DONE]" else msgspec.json.decode(line) for line in lines]


def text_of(chunks: list[Any]) -> str:
    """The text of a chat stream."""
    return "".join(
        choice["delta"].get("content") or ""
        for chunk in chunks
        if isinstance(chunk, dict)
        for choice in chunk.get("choices", ())
    )


@contextlib.asynccontextmanager
async def stage(
    redis_url: str, *accounts: str, backend: Any = None, **changes: Any
) -> AsyncIterator[Stage]:
    """A stage with these accounts logged in and one gateway, before this backend or a new one."""
    async with contextlib.AsyncExitStack() as stack:
        simulator = await stack.enter_async_context(backend or Simulator())
        made = Stage(simulator, redis_url, stack)
        stack.push_async_callback(made.redis.aclose)
        if accounts:
            await made.log_in(*accounts)
        first = await made.add_replica(**changes)
        await made.until_polled()
        await made.client.aclose()
        made.client = await stack.enter_async_context(
            httpx.AsyncClient(base_url=first.url, timeout=PATIENCE_SECONDS, trust_env=False)
        )
        yield made


@contextlib.asynccontextmanager
async def reading(replica: Replica, path: str, body: Any, **headers: str) -> AsyncIterator[Any]:
    """A streamed answer, read as it comes."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{replica.url}{path}", json=body, headers=headers) as answer,
    ):
        yield answer
