"""Accounts as the API returns them: facts, cooldowns, remaining quota."""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from codex_proapi.commons.accounts.cooldowns import CooldownStore
from codex_proapi.commons.accounts.model import Account, Cooldown
from codex_proapi.commons.accounts.quota_store import QuotaStore, SeenQuota
from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.commons.cluster.replicas import ReplicaStore
from codex_proapi.commons.codex.reset_credits import SavedResets
from codex_proapi.console.accounts.closed_accounts import ClosedBody, closed_body, closed_by_owner
from codex_proapi.console.errors import Code, NotFound
from codex_proapi.console.resets.reset_store import ResetStore


class CooldownBody(msgspec.Struct, frozen=True, kw_only=True):
    """Until when an account, or one model of it, is passed over."""

    model: str
    """The model; empty is the whole account."""
    until: float
    since: float
    reason: str
    code: str


class AccountBody(msgspec.Struct, frozen=True, kw_only=True):
    """One account. Never holds a token."""

    id: str
    name: str
    email: str
    plan: str
    workspace: str
    source: str
    kind: str
    """`chatgpt`, or `personal_token` for a personal access token."""
    paused: bool
    weight: float
    state: str
    state_reason: str
    token_expires_at: int
    created_at: int
    last_used_at: int
    last_error: str
    last_error_at: int
    owner: str
    """Id of its owner; empty if it has none."""
    closed: ClosedBody | None
    """How its owner's terms keep every key off it now; null if they do not."""
    in_flight: int
    """Answers under way on all gateways."""
    cooldowns: tuple[CooldownBody, ...]
    saved_resets: SavedResets | None
    """Its saved resets as they were last read; null if they never were."""
    quota: SeenQuota | None
    """What was last seen of its windows; null if nothing was. How old it is stands in `seen_at`."""


class AccountBodies:
    """Builds the API's accounts."""

    def __init__(
        self,
        *,
        accounts: AccountStore,
        cooldowns: CooldownStore,
        quotas: QuotaStore,
        resets: ResetStore,
        replicas: ReplicaStore,
        clock: Callable[[], float],
    ) -> None:
        self._accounts = accounts
        self._cooldowns = cooldowns
        self._quotas = quotas
        self._resets = resets
        self._replicas = replicas
        self._clock = clock

    def __repr__(self) -> str:
        return "<AccountBodies>"

    async def all(self) -> list[AccountBody]:
        """Every account, oldest first."""
        return await self.draw(await self._accounts.list())

    async def one(self, account_id: str) -> AccountBody:
        """One account, or NotFound."""
        account = await self._accounts.get(account_id)
        if account is None:
            raise NotFound(Code.UNKNOWN_ACCOUNT)
        return (await self.draw([account]))[0]

    async def draw(self, accounts: Sequence[Account]) -> list[AccountBody]:
        """Bodies of some accounts with their present state."""
        ids = [account.id for account in accounts]
        now = self._clock()
        cooldowns = await self._cooldowns.all(ids, now=now)
        quotas = await self._quotas.all(ids)
        resets = await self._resets.last_read(ids)
        replicas = await self._replicas.all()
        return [
            _body(
                account,
                cooldowns=cooldowns.get(account.id, {}),
                quota=quotas.get(account.id),
                resets=resets.get(account.id),
                in_flight=sum(replica.in_flight.get(account.id, 0) for replica in replicas),
                now=now,
            )
            for account in accounts
        ]


def _body(
    account: Account,
    *,
    cooldowns: Mapping[str, Cooldown],
    quota: SeenQuota | None,
    resets: SavedResets | None,
    in_flight: int,
    now: float,
) -> AccountBody:
    return AccountBody(
        id=account.id,
        name=account.name,
        email=account.email,
        plan=account.plan,
        workspace=account.chatgpt_account_id,
        source=account.source,
        kind=account.kind,
        paused=account.paused,
        weight=account.weight,
        state=account.state.value,
        state_reason=account.state_reason,
        token_expires_at=account.token_expires_at,
        created_at=account.created_at,
        last_used_at=account.last_used_at,
        last_error=account.last_error,
        last_error_at=account.last_error_at,
        owner=account.owner,
        closed=closed_body(closed_by_owner(account, quota, now=now)),
        in_flight=in_flight,
        cooldowns=tuple(
            CooldownBody(
                model=model,
                until=cooldown.until,
                since=cooldown.since,
                reason=cooldown.reason.value,
                code=cooldown.code,
            )
            for model, cooldown in sorted(cooldowns.items())
        ),
        saved_resets=resets,
        quota=quota,
    )
