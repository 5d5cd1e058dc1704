"""The quota of accounts as it was last seen: the gateway keeps it, both services read it.

The names are those of the gateway's reading of upstream, so a fresh reading is kept as it is, with
the time it was seen. How old is too old is for the reader to say.
"""

from collections.abc import Sequence

import msgspec
from redis.asyncio import Redis

from commons import redis_keys
from commons.redis_pool import ask, mapped

GENERAL = "codex"
"""Id of the family that holds for every model without one of its own."""


class SeenWindow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How much of one window was used, and when it begins anew."""

    minutes: int
    """Its length, which alone tells a five-hour window from a weekly one; 0 is unknown."""
    used_percent: float
    """0 to 100, sometimes beyond."""
    resets_at: int = 0
    """Seconds since the epoch; 0 is unknown."""


class SeenFamily(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The windows of one limit."""

    id: str
    """`codex` is the general one, `codex_…` belongs to some models."""
    name: str = ""
    """What upstream calls it in words."""
    windows: tuple[SeenWindow, ...] = ()
    """From the shortest to the longest."""


class SeenCredits(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Bought credits beside the plan's windows."""

    has_credits: bool = False
    unlimited: bool = False
    balance: str = ""


class SeenQuota(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An account's quota and when it was seen."""

    seen_at: float
    """Seconds since the epoch."""
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

    def windows_for(self, model: str) -> tuple[SeenWindow, ...]:
        """The windows that hold for a model: those of its own family, else the general ones.

        A family of its own replaces the general windows, it does not add to them: upstream's
        active limit names the one family that applies to a request. Where that is wrong, an
        account is asked in vain once; the other mistake would leave a quota unused for good.

        A family is a model's by its name or its id. Upstream's `normal_model_slug` is no sign of
        it: `gpt-reserve` gives `gpt-5.6-luna` there, and requests for the latter are counted in
        the general windows (as third parties saw in autumn 2026).
        """
        wanted = _slug(model)
        own = (family for family in self.families if family.id != GENERAL and family.windows)
        found = (f.windows for f in own if wanted and wanted in {_slug(f.name), _slug(f.id)})
        return next(found, self.windows)


class QuotaStore:
    """What was last seen of every account's quota."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def __repr__(self) -> str:
        return "<QuotaStore>"

    async def keep(self, account_id: str, quota: SeenQuota) -> None:
        """Replace what is known. Settled in the open: the next answer brings it again."""
        with mapped():
            await self._redis.set(redis_keys.quota(account_id), msgspec.json.encode(quota))

    async def all(self, account_ids: Sequence[str]) -> dict[str, SeenQuota]:
        """What is known, by account; one that was never seen is left out."""
        if not account_ids:
            return {}
        names = [redis_keys.quota(account_id) for account_id in account_ids]
        kept = await ask(lambda: self._redis.mget(names))
        return {
            account_id: quota
            for account_id, body in zip(account_ids, kept, strict=True)
            if body and (quota := _decoded(body)) is not None
        }


def _decoded(body: str | bytes) -> SeenQuota | None:
    """What was kept; None if another version of ours kept it in another shape."""
    try:
        return msgspec.json.decode(body, type=SeenQuota)
    except (msgspec.ValidationError, msgspec.DecodeError):
        return None


def _slug(name: str) -> str:
    """A model's or a limit's name as it is compared: lower case, hyphens between words."""
    return "-".join(name.lower().replace("_", " ").split())
