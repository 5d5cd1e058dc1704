"""The accounts as pages show them: state in words, quota windows as bars, today's usage."""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from codex_proapi.commons.accounts.model import PERSONAL_TOKEN, Account, Cooldown, CooldownReason
from codex_proapi.commons.accounts.quota_store import (
    GENERAL,
    SeenCredits,
    SeenFamily,
    SeenQuota,
    SeenWindow,
)
from codex_proapi.commons.cluster.replicas import Replica
from codex_proapi.commons.owner_terms.terms import OwnerTerms
from codex_proapi.console.accounts.closed_accounts import closed_by_owner
from codex_proapi.console.views.account_status import AccountStatus, Word, status_of
from codex_proapi.console.views.quota_windows import (
    SPENT_LEFT,
    Bar,
    Reading,
    bar_of,
    bars_of,
    pool_bars,
    tone_of,
)
from codex_proapi.console.views.sources import Sources

GATEWAY = "gateway"
"""Name of the service whose replicas serve clients."""


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """A limit that holds for some models only, beside the general one."""

    family: SeenFamily
    bars: tuple[Bar, ...]


class Substitution(msgspec.Struct, frozen=True, kw_only=True):
    """A model for which an account rests, because another one answered."""

    model: str
    answered: str
    until: int
    """Seconds since the epoch."""


class AccountRow(msgspec.Struct, frozen=True, kw_only=True):
    """One account for display."""

    id: str
    name: str
    email: str
    plan: str
    workspace: str
    source: str
    kind: str
    """What it is, a key of `kinds.KINDS`."""
    paused: bool
    weight: float
    owner: str
    """Id of its owner; empty is the administrator."""
    terms: OwnerTerms
    condition: AccountStatus
    bars: tuple[Bar, ...]
    """The general windows."""
    limits: tuple[Limit, ...]
    """Those of some models only."""
    credits: SeenCredits | None
    """What was bought beside the plan; None is unknown."""
    spending: Bar | None
    """A spending limit; None where there is none, or it is unknown."""
    in_flight: int | None
    """Answers under way; None when no gateway is seen."""
    tokens_today: int
    created_at: int
    token_expires_at: int
    last_used_at: int
    last_error: str
    last_error_at: int
    substitutions: tuple[Substitution, ...] = ()
    saved_resets: int = 0
    """How many saved resets it has, as far as is known."""
    resets_end_at: int = 0
    """When the first of them is lost, seconds since the epoch; 0 is unknown."""

    @property
    def by_token(self) -> bool:
        """Whether it is used with a personal access token, which is replaced and not renewed."""
        return self.kind == PERSONAL_TOKEN

    @property
    def ready(self) -> bool:
        """Whether it can be selected now."""
        return self.condition.word is Word.READY

    def bars_for(self, model: str) -> tuple[Bar, ...]:
        """The windows that hold for a model: those of its own limit, else the general ones."""
        own = (limit.bars for limit in self.limits if limit.family.is_of(model))
        return next(own, self.bars)

    @property
    def left(self) -> float:
        """Percent left of its tightest known window; unknown counts as nothing to rely on."""
        known = [bar.left for bar in self.bars if bar.left is not None]
        return min(known, default=-1.0)


class AccountOverview(msgspec.Struct, frozen=True, kw_only=True):
    """All accounts at one moment, and the gateways that serve with them."""

    at: float
    """That moment, seconds since the epoch."""
    rows: tuple[AccountRow, ...]
    gateways: tuple[Replica, ...]
    quota_seen_at: int
    """When a quota was seen last, seconds since the epoch; 0 is never."""

    @property
    def ready(self) -> int:
        """How many can be selected now."""
        return sum(row.ready for row in self.rows)

    @property
    def attention(self) -> tuple[AccountRow, ...]:
        """Accounts that need an administrator."""
        return tuple(row for row in self.rows if row.condition.needs_attention)

    @property
    def pool(self) -> tuple[Bar, ...]:
        """One bar for each kind of window, over the accounts that answer now or later by themselves."""
        in_use = [row for row in self.rows if not row.condition.answers_never]
        return pool_bars([spendable(row, row.bars) for row in in_use], now=self.at)

    @property
    def recovers_at(self) -> int:
        """When the next account that waits comes back by itself; 0 if none waits."""
        return min((row.condition.until for row in self.rows if row.condition.until), default=0)

    @property
    def in_flight(self) -> int | None:
        """Answers under way on all gateways; None when none is seen."""
        if not self.gateways:
            return None
        return sum(sum(gateway.in_flight.values()) for gateway in self.gateways)


async def load_accounts(sources: Sources, *, owner: str = "") -> AccountOverview:
    """Read everything the pages show of the accounts: of all, or of one owner's."""
    now = sources.clock()
    listed = await sources.accounts.list()
    accounts = [account for account in listed if not owner or account.owner == owner]
    ids = [account.id for account in accounts]
    cooldowns = await sources.cooldowns.all(ids, now=now)
    quotas = await sources.quotas.all(ids)
    resets = await sources.resets.last_read(ids)
    gateways = [r for r in await sources.replicas.all() if r.service == GATEWAY and not r.draining]
    day = (await sources.calendar()).day_of(now)
    used = (await sources.usage.read("account", [day]))[day]

    def row(account: Account) -> AccountRow:
        quota = quotas.get(account.id)
        usable = resets[account.id].usable(now) if account.id in resets else ()
        bars = bars_of(readings_of(quota), now=now)
        cooldown = cooldowns.get(account.id, {}).get("")
        counters = used.get(account.id)
        return AccountRow(
            id=account.id,
            name=account.name or account.email or account.id,
            email=account.email,
            plan=account.plan,
            workspace=account.chatgpt_account_id,
            source=account.source,
            kind=account.kind,
            paused=account.paused,
            weight=account.weight,
            owner=account.owner,
            terms=account.terms,
            condition=_condition(account, quota, cooldown=cooldown, bars=bars, now=now),
            bars=bars,
            limits=limits_of(quota, now=now),
            credits=quota.credits if quota else None,
            spending=_spending(quota, now=now),
            in_flight=_in_flight(account.id, gateways),
            tokens_today=counters.input + counters.output if counters else 0,
            created_at=account.created_at,
            token_expires_at=account.token_expires_at,
            last_used_at=account.last_used_at,
            last_error=account.last_error,
            last_error_at=account.last_error_at,
            substitutions=substitutions_of(cooldowns.get(account.id, {})),
            saved_resets=len(usable),
            resets_end_at=usable[0].expires_at if usable else 0,
        )

    return AccountOverview(
        at=now,
        rows=tuple(row(account) for account in accounts),
        gateways=tuple(gateways),
        quota_seen_at=int(max((quota.seen_at for quota in quotas.values()), default=0)),
    )


def _condition(
    account: Account,
    quota: SeenQuota | None,
    *,
    cooldown: Cooldown | None,
    bars: Sequence[Bar],
    now: float,
) -> AccountStatus:
    return status_of(
        account,
        cooldown=cooldown,
        bars=bars,
        now=now,
        closed=closed_by_owner(account, quota, now=now),
        reserve=quota.reserve(now) if quota else "",
    )


def substitutions_of(cooldowns: Mapping[str, Cooldown]) -> tuple[Substitution, ...]:
    """The models for which other ones answered, from an account's cooldowns by model."""
    return tuple(
        Substitution(model=model, answered=cooldown.code, until=int(cooldown.until))
        for model, cooldown in sorted(cooldowns.items())
        if model and cooldown.reason is CooldownReason.SUBSTITUTED
    )


def readings_of(quota: SeenQuota | None) -> Sequence[Reading]:
    """The general windows of a quota as it was last seen."""
    if quota is None:
        return ()
    return [_reading(window, seen_at=quota.windows_seen_at) for window in quota.windows]


def limits_of(quota: SeenQuota | None, *, now: float) -> tuple[Limit, ...]:
    """The limits of some models only, as they were last seen."""
    families = [f for f in quota.families if f.id != GENERAL and f.windows] if quota else []
    return tuple(
        Limit(
            family=family,
            bars=bars_of([_reading(w, seen_at=family.seen_at) for w in family.windows], now=now),
        )
        for family in families
    )


def _spending(quota: SeenQuota | None, *, now: float) -> Bar | None:
    if quota is None or quota.spending is None:
        return None
    return bar_of(_reading(quota.spending, seen_at=quota.seen_at), now=now)


def _reading(window: SeenWindow, *, seen_at: float) -> Reading:
    return Reading(
        minutes=window.minutes,
        used=window.used_percent,
        resets_at=window.resets_at,
        seen_at=int(seen_at),
        trail=window.trail,
    )


_SORTS: Mapping[str, Callable[[AccountRow], object]] = {
    "attention": lambda row: (not row.condition.needs_attention, row.ready, row.paused),
    "name": lambda row: row.name.casefold(),
    "left": lambda row: -row.left,
    "recovery": lambda row: row.condition.until or min_reset(row.bars),
    "used": lambda row: -row.last_used_at,
}


def sort_rows(rows: Sequence[AccountRow], order: str) -> tuple[AccountRow, ...]:
    """Rows in one of the orders the page offers; an unknown one is the first."""
    key = _SORTS.get(order, _SORTS["attention"])
    by_name = sorted(rows, key=lambda row: (row.name.casefold(), row.id))
    return tuple(sorted(by_name, key=key))  # type: ignore[arg-type,unused-ignore]


def sort_of(wanted: str) -> str:
    """The order asked for, if there is such a one."""
    return wanted if wanted in _SORTS else "attention"


def min_reset(bars: Sequence[Bar]) -> int:
    """The first reset of these windows, seconds since the epoch; unknown sorts last."""
    return min((bar.resets_at for bar in bars if bar.resets_at), default=1 << 40)


def spendable(row: AccountRow, bars: tuple[Bar, ...]) -> tuple[Bar, ...]:
    """Windows of an account (the general ones, or a model's) as the pool may count on them.

    An account that was refused for its quota has nothing left in its shortest window, whatever that
    window said before.
    """
    known = [bar for bar in bars if bar.left is not None]
    if row.condition.word not in {Word.SPENT, Word.RESERVE} or any(
        (bar.left or 0) <= SPENT_LEFT for bar in known
    ):
        return bars
    if not bars:
        return bars
    shortest = min(bars, key=lambda bar: bar.minutes)
    spent = msgspec.structs.replace(shortest, left=0.0, tone=tone_of(0.0), spent_at=0, wasted=None)
    return tuple(spent if bar is shortest else bar for bar in bars)


def _in_flight(account_id: str, gateways: Sequence[Replica]) -> int | None:
    if not gateways:
        return None
    return sum(gateway.in_flight.get(account_id, 0) for gateway in gateways)
