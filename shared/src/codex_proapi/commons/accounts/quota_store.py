"""Store of the quota last seen of each account; the gateway writes it, both services read it.

Field names are those of `commons.codex.quota_parser`, with the time each part was seen. Readers
decide how old is too old.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec
from redis.asyncio import Redis

from codex_proapi.commons.codex.luna_reserve import is_reserve
from codex_proapi.commons.codex.quota_parser import SPENT_PERCENT
from codex_proapi.commons.redis import keyspace, operator_keys
from codex_proapi.commons.redis.clients import ask, text
from codex_proapi.commons.redis.scripts import Scripts
from codex_proapi.commons.runtime.stored_records import DecodedRecords

GENERAL = "codex"
"""Id of the family that holds for every model without one of its own."""


DAY_MINUTES = 24 * 60
KEEP_TRIES = 3
"""How often a reading is joined again because another replica wrote meanwhile."""


class Sample(NamedTuple):
    """How much of a window was used at an earlier moment."""

    at: float
    """Seconds since the epoch."""
    used: float
    """Percent."""


class SeenWindow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How much of one window was used, and when it resets."""

    minutes: int
    """Its length, which alone distinguishes a five-hour from a weekly window; 0 is unknown."""
    used_percent: float
    """0 to 100, sometimes beyond."""
    resets_at: int = 0
    """Seconds since the epoch; 0 is unknown."""
    trail: tuple[Sample, ...] = ()
    """Earlier readings since it began, oldest first: few, and only as far back as paces need."""

    def is_spent(self, now: float) -> bool:
        """Whether nothing is left of it, and it has not been reset since."""
        return self.used_percent >= SPENT_PERCENT and not 0 < self.resets_at <= now

    @property
    def recent_seconds(self) -> float:
        """Span of a recent pace in seconds: an hour of a five-hour window, a day of a week."""
        return self.minutes * 60 / (5 if self.minutes < DAY_MINUTES else 7)


class SeenFamily(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The windows of one limit."""

    id: str
    """`codex` is the general one, `codex_…` belongs to some models."""
    name: str = ""
    """What upstream calls it in words."""
    stands_for: str = ""
    """The model that a reserve serves; empty of every other limit."""
    windows: tuple[SeenWindow, ...] = ()
    """From the shortest to the longest."""
    seen_at: float = 0.0
    """When upstream reported this one, seconds since the epoch."""

    def is_of(self, model: str) -> bool:
        """Whether it is a model's own limit: by its name or its id."""
        wanted = _slug(model)
        return self.id != GENERAL and bool(wanted) and wanted in {_slug(self.name), _slug(self.id)}


class SeenCredits(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Bought credits beside the plan's windows."""

    has_credits: bool = False
    unlimited: bool = False
    balance: str = ""


class SeenQuota(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An account's quota and when it was seen."""

    seen_at: float
    """When any of it was seen last, seconds since the epoch."""
    plan: str = ""
    active_limit: str = ""
    families: tuple[SeenFamily, ...] = ()
    credits: SeenCredits | None = None
    spending: SeenWindow | None = None
    """A spending limit that some business plans have instead of windows."""
    reached: bool = False
    reached_type: str = ""

    @property
    def windows(self) -> tuple[SeenWindow, ...]:
        """The general limit's windows, or the spending limit where there are none."""
        general = next((family.windows for family in self.families if family.id == GENERAL), ())
        return general or ((self.spending,) if self.spending else ())

    @property
    def windows_seen_at(self) -> float:
        """When those windows were seen; an answer may report one family only."""
        general = next((f.seen_at for f in self.families if f.id == GENERAL and f.windows), 0.0)
        return general or self.seen_at

    def seen_for(self, model: str) -> float:
        """When the windows that hold for a model were seen, seconds since the epoch."""
        own = (f.seen_at for f in self.families if f.windows and f.is_of(model))
        return next(own, self.windows_seen_at)

    def reserve(self, now: float) -> str:
        """The model that its reserve serves: the ordinary windows are shut, the reserve is open.

        Empty if it has none, if either is otherwise, or if the reserve's windows have not been seen.
        """
        shut = self.reached or any(window.is_spent(now) for window in self.windows)
        if not shut:
            return ""
        open_ = (
            family.stands_for
            for family in self.families
            if is_reserve(family.id, family.name)
            and family.windows
            and not any(window.is_spent(now) for window in family.windows)
        )
        return next(open_, "")

    def windows_for(self, model: str) -> tuple[SeenWindow, ...]:
        """The windows that hold for a model: those of its own family, else the general ones.

        A family of its own replaces the general windows, it does not add to them: upstream's
        active limit names the one family that applies to a request. Where that is wrong, an
        account is tried once in vain; the opposite error would leave a quota unused for good.

        A family is a model's by its name or its id. Upstream's `normal_model_slug` is no sign of
        it: `gpt-reserve` gives `gpt-5.6-luna` there, and requests for the latter are counted in
        the general windows (as third parties saw in autumn 2026).
        """
        own = (f.windows for f in self.families if f.windows and f.is_of(model))
        return next(own, self.windows)


class QuotaStore:
    """What was last seen of every account's quota."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._scripts = Scripts(redis, __package__)
        self._decoded: DecodedRecords[str, SeenQuota] = DecodedRecords()

    def __repr__(self) -> str:
        return "<QuotaStore>"

    async def keep(
        self, changes: Mapping[str, Callable[[SeenQuota | None], SeenQuota]]
    ) -> dict[str, SeenQuota]:
        """Update the quota of some accounts, with optimistic locking against other replicas.

        Args:
            changes: For each account a function from the stored quota to the new one; called again if
                another replica wrote meanwhile.

        Returns:
            What is then stored, without accounts that still conflicted after KEEP_TRIES; the next
            reading updates those.
        """
        known: dict[str, SeenQuota] = {}
        waiting = dict(changes)
        for _ in range(KEEP_TRIES):
            if not waiting:
                break
            names = {id_: keyspace.quota(id_) for id_ in waiting}
            before = await self._bodies(names)
            after = {id_: change(read_quota(before[id_])) for id_, change in waiting.items()}
            done = await self._write(names, before, after)
            known |= {id_: after[id_] for id_ in done}
            waiting = {id_: change for id_, change in waiting.items() if id_ not in done}
        return known

    async def all(self, account_ids: Sequence[str]) -> dict[str, SeenQuota]:
        """The stored quota by account; one that was never seen is left out."""
        bodies = await self._bodies({id_: keyspace.quota(id_) for id_ in account_ids})
        return self._decoded.of(bodies, lambda body, _: read_quota(body))

    async def _write(
        self,
        names: Mapping[str, str],
        before: Mapping[str, str],
        after: Mapping[str, SeenQuota],
    ) -> set[str]:
        """Write what has changed unless others did; returns the accounts that are up to date."""
        bodies = {id_: msgspec.json.encode(quota).decode() for id_, quota in after.items()}
        changed = [id_ for id_, body in bodies.items() if body != before[id_]]
        same = bodies.keys() - changed
        if not changed:
            return same
        args = [part for id_ in changed for part in (before[id_], bodies[id_], id_)]
        keys = [
            operator_keys.quota_changes(),
            *(names[id_] for id_ in changed),
            *(keyspace.account(id_) for id_ in changed),
        ]
        done = await self._scripts.repeat("save_quotas", keys, args)
        return same | {id_ for id_, written in zip(changed, done, strict=True) if written}

    async def _bodies(self, names: Mapping[str, str]) -> dict[str, str]:
        """What is kept by account; "" is nothing."""
        if not names:
            return {}
        kept = await ask(lambda: self._redis.mget(list(names.values())))
        return {id_: text(body or "") for id_, body in zip(names, kept, strict=True)}


def read_quota(body: str) -> SeenQuota | None:
    """Decode a stored quota; None if there is none, or it is of an incompatible version."""
    try:
        return msgspec.json.decode(body, type=SeenQuota) if body else None
    except (msgspec.ValidationError, msgspec.DecodeError):
        return None


def _slug(name: str) -> str:
    """A model's or a limit's name normalised for comparison: lower case, hyphens between words."""
    return "-".join(name.lower().replace("_", " ").split())
