"""The state behind both simulated servers: accounts, logins, faults, and the record of requests."""

import asyncio
import contextlib
import dataclasses
import hashlib
import time
from collections.abc import Callable
from typing import Any

import msgspec

from codex_proapi.simulator.state.accounts import SimulatedAccount, default_accounts
from codex_proapi.simulator.state.fault_rules import FaultRules
from codex_proapi.simulator.state.leniency import STRICT, Leniency
from codex_proapi.simulator.state.logins import REDIRECTS, Logins
from codex_proapi.simulator.state.received_requests import ReceivedRequest, TokenCall

_CACHE_STEP = 128
_CACHE_LEAST = 1024
_CHARACTERS_PER_TOKEN = 4


@dataclasses.dataclass
class World:
    """The state behind both servers; lives as long as they do."""

    accounts: list[SimulatedAccount] = dataclasses.field(default_factory=default_accounts)
    clock: Callable[[], float] = time.time
    logins: Logins = dataclasses.field(default_factory=Logins)
    faults: FaultRules = dataclasses.field(default_factory=FaultRules)
    requests: list[ReceivedRequest] = dataclasses.field(default_factory=list)
    token_calls: list[TokenCall] = dataclasses.field(default_factory=list)
    leniency: Leniency = STRICT
    """Rules that are relaxed."""
    pace: float = 0.0
    """Seconds between deltas when no fault says otherwise."""
    keep_bodies: bool = True
    """Whether received requests keep their bodies; benchmarks turn it off."""
    record_limit: int = 10_000
    """Requests kept; the older half is forgotten beyond it."""
    redirects: frozenset[str] = REDIRECTS
    """Redirect addresses registered for the client id."""
    socket_seconds: float = 3600.0
    """How long a WebSocket connection may be used."""
    socket_message_bytes: int = 16 * 1024 * 1024
    """Most bytes of a WebSocket message."""
    socket_responses: set[str] = dataclasses.field(default_factory=set)
    """Ids of all responses made over WebSocket, on whatever connection."""
    device_interval: str = "5"
    """Seconds between polls, as sent to the client: a string."""
    catalogue_version: int = 1
    """Part of the etag of `/models`."""
    sockets: int = 0
    """WebSocket connections that were ever opened."""
    hurried: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)
    """Set once no fault waits any longer."""
    _prompts: dict[tuple[str, str], int] = dataclasses.field(default_factory=dict)

    async def wait(self, seconds: float) -> None:
        """Wait as long as a fault says, or until `hurried` is set."""
        if seconds:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self.hurried.wait()

    def note(self, received: ReceivedRequest) -> None:
        """Add to the record."""
        if len(self.requests) >= self.record_limit:
            del self.requests[: self.record_limit // 2]
        self.requests.append(received)

    def count_socket(self) -> int:
        """The number of a new WebSocket connection."""
        self.sockets += 1
        return self.sockets

    def account(self, name: str) -> SimulatedAccount:
        """The account of this name."""
        for account in self.accounts:
            if account.name == name:
                return account
        raise LookupError(f"no simulated account is called {name!r}")

    def account_of(self, claim: dict[str, Any]) -> SimulatedAccount | None:
        """The account a token's claim is about."""
        for account in self.accounts:
            same_user = account.user_id == claim.get("chatgpt_user_id")
            if same_user and account.workspace == claim.get("chatgpt_account_id"):
                return account
        return None

    def account_by_key(self, access_key: str) -> SimulatedAccount | None:
        """The account of a long-lived `at-…` token."""
        return next((a for a in self.accounts if a.access_key == access_key), None)

    def models_etag(self, account: SimulatedAccount) -> str:
        """The etag of what `/models` answers this account."""
        facts = f"{self.catalogue_version} {account.plan} {account.models}"
        return f'W/"{hashlib.sha256(facts.encode()).hexdigest()[:16]}"'

    def count_tokens(
        self, body: dict[str, Any], account: SimulatedAccount, *, said: int, thought: int
    ) -> dict[str, Any]:
        """Plausible usage: a token is four characters; a known prompt start is cached."""
        prompt = len(msgspec.json.encode([body["input"], body.get("tools")]))
        tokens = prompt // _CHARACTERS_PER_TOKEN + 1
        cache_key = (account.workspace, str(body.get("prompt_cache_key", "")))
        before = self._prompts.get(cache_key, 0) if cache_key[1] else 0
        cached = min(before, tokens) // _CACHE_STEP * _CACHE_STEP
        cached = cached if cached >= _CACHE_LEAST else 0
        self._prompts[cache_key] = tokens
        output = said // _CHARACTERS_PER_TOKEN + 1
        reasoning = thought // _CHARACTERS_PER_TOKEN
        return {
            "input_tokens": tokens,
            "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": 0},
            "output_tokens": output + reasoning,
            "output_tokens_details": {"reasoning_tokens": reasoning},
            "total_tokens": tokens + output + reasoning,
        }
