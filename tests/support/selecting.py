"""The account selector over a real Redis, with fakes of what it asks and tells."""

import time
from typing import Any

from support.gateways import KEY
from support.logins import a_login

from codex_proapi.commons.accounts.cooldowns import CooldownStore
from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.accounts.model import Cooldown, CooldownReason
from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.commons.accounts.view import AccountView
from codex_proapi.commons.balancing.candidates import (
    NoCandidate,
)
from codex_proapi.gateway.accounting.affinity_writer import AffinityWriter
from codex_proapi.gateway.pool.account_selector import (
    AccountSelector,
)
from codex_proapi.gateway.pool.health.circuit_breakers import CircuitBreakers
from codex_proapi.gateway.pool.lease import Lease, LeaseRequest
from codex_proapi.gateway.pool.state.clock import SharedClock
from codex_proapi.gateway.pool.state.snapshot import SnapshotReader

REQUEST = LeaseRequest(model="gpt-5.5", fingerprint="f1")


class Refresher:
    """Gives what a test says; without a word, what it is given."""

    def __init__(self) -> None:
        self.errors: dict[Any, Any] = {}
        self.asked: list[Any] = []

    def is_fresh(self, credential: Any, now: Any) -> Any:
        return credential.account_id not in self.errors

    async def fresh(self, account_id: Any, *, held: Any = None, rejected: Any = None) -> Any:
        self.asked.append((account_id, rejected is not None))
        if error := self.errors.get(account_id):
            raise error
        return held or rejected


class Outcomes:
    def __init__(self) -> None:
        self.unavailable_accounts: list[Any] = []
        self.succeeded: list[Any] = []

    async def record_no_credential(self, account_id: Any, *, code: str | None) -> None:
        self.unavailable_accounts.append((account_id, code))

    def record_success(self, lease: Any) -> None:
        self.succeeded.append(lease.account.id)


class Facts:
    def __init__(self) -> None:
        self.unlisted: set[tuple[str, str]] = set()
        self.used: dict[Any, Any] = {}
        self.bought: set[Any] = set()
        self.asked = 0
        self.changed = 0
        self.steady = False

    def changes(self) -> tuple[int, int]:
        """Anything may have changed, unless a test says that nothing does."""
        self.changed += not self.steady
        return self.changed, self.changed

    def lists(self, account_id: Any, model: Any) -> Any:
        return (account_id, model) not in self.unlisted

    def windows(self, account_id: Any, model: Any) -> Any:
        del model
        self.asked += 1
        return self.used.get(account_id, ())

    def is_read(self, account_id: Any, model: Any) -> bool:
        del model
        return account_id in self.used

    def credits(self, account_id: Any) -> Any:
        return account_id in self.bought


class Scene:
    def __init__(self, redis: Any) -> None:
        self.redis = redis
        self.store = AccountStore(redis, CredentialCipher((KEY,)))
        self.cooldowns = CooldownStore(redis)
        self.snapshots = SnapshotReader(redis)
        self.ties = AffinityWriter(redis)
        self.refresher, self.outcomes, self.facts = Refresher(), Outcomes(), Facts()
        self.view = AccountView(self.store)
        parts: dict[str, Any] = {
            "view": self.view,
            "snapshots": self.snapshots,
            "refresher": self.refresher,
            "breakers": CircuitBreakers(redis, self.cooldowns, clock=time.time),
            "outcomes": self.outcomes,
            "clock": SharedClock(time.time),
            "facts": self.facts,
        }
        self.selector = AccountSelector(**parts)

    async def log_in(self, count: int) -> Any:
        """So many accounts; gives their ids, sorted as the round robin has them."""
        exp = int(time.time()) + 86_400
        accounts = [
            await self.store.add(a_login(exp=exp, workspace=f"ws-{n}", created_at=n))
            for n in range(count)
        ]
        return sorted(account.id for account in accounts)

    async def cool(
        self,
        account_id: Any,
        reason: Any = CooldownReason.QUOTA,
        seconds: Any = 900.0,
        model: Any = None,
    ) -> None:
        now = time.time()
        cooldown = Cooldown(until=now + seconds, reason=reason, since=now - 1)
        await self.cooldowns.cool(account_id, cooldown, model=model)

    async def lend(self, lease_request: Any = REQUEST, tried: Any = ()) -> Any:
        found = await self.selector.lease(lease_request, tried)
        assert isinstance(found, Lease), found
        return found

    async def nobody(self, lease_request: Any = REQUEST, tried: Any = ()) -> Any:
        found = await self.selector.lease(lease_request, tried)
        assert isinstance(found, NoCandidate), found
        return found.cause
