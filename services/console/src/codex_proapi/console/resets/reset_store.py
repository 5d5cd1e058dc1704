"""Store of saved resets as they were last read, and of redemptions with the id of their request.

A redemption is written, on disk, before the backend is asked: whoever repeats it, on this console or
another, after a timeout or a crash, sends the same id, and the backend redeems once.
"""

from collections.abc import Sequence

import msgspec
from redis.asyncio import Redis

from codex_proapi.commons.codex.reset_credits import SavedResets
from codex_proapi.commons.redis import operator_keys
from codex_proapi.commons.redis.clients import ask, mapped, text
from codex_proapi.commons.redis.scripts import Scripts
from codex_proapi.commons.runtime.stored_records import read_json


class Redemption(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One redemption of a saved reset, under way or done."""

    request_id: str
    """UUID of the request; the same in every repetition."""
    by: str
    """Who began it, as the audit names him."""
    began_at: int
    """Seconds since the epoch."""
    done_at: int = 0
    """When the backend confirmed it, seconds since the epoch; 0 is not yet."""
    windows: int = 0
    """How many windows were reset, as far as the backend said."""


class ResetStore:
    """Saved resets and redemptions of all accounts, shared by every console."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._scripts = Scripts(redis, __package__)

    def __repr__(self) -> str:
        return "<ResetStore>"

    async def keep(self, account_id: str, resets: SavedResets) -> None:
        """Keep what was read of an account's resets."""
        with mapped():
            await self._redis.set(
                operator_keys.saved_resets(account_id),
                msgspec.json.encode(resets),
                ex=operator_keys.SAVED_RESETS_SECONDS,
            )

    async def last_read(self, account_ids: Sequence[str]) -> dict[str, SavedResets]:
        """What was last read, by account; one that was never read is left out."""
        if not account_ids:
            return {}
        names = [operator_keys.saved_resets(id_) for id_ in account_ids]
        bodies = await ask(lambda: self._redis.mget(names))
        found: dict[str, SavedResets] = {}
        for id_, body in zip(account_ids, bodies, strict=True):
            read = body and read_json(text(body), SavedResets, kind="saved resets", name=id_)
            if read:
                found[id_] = read
        return found

    async def redemptions(self, account_id: str) -> dict[str, Redemption]:
        """The redemptions of an account by reset; those this version cannot read are left out."""
        kept = await ask(lambda: self._redis.hgetall(operator_keys.reset_redemptions(account_id)))
        read = {text(id_): _read(text(body)) for id_, body in kept.items()}
        return {id_: each for id_, each in read.items() if each is not None}

    async def begin(self, account_id: str, reset_id: str, new: Redemption) -> Redemption:
        """Record a redemption, on disk when this returns; gives the one that was there before, if any."""
        key = operator_keys.reset_redemptions(account_id)
        kept = await ask(lambda: self._redis.hget(key, reset_id))
        unreadable = kept is not None and _read(text(kept)) is None
        args = [
            *(reset_id, _written(new), operator_keys.REDEMPTION_SECONDS),
            "1" if unreadable else "",
        ]
        there = await self._scripts.run("begin_redemption", [key], args, durably=True)
        return _read(text(there)) or new

    async def settle(
        self, account_id: str, reset_id: str, began: Redemption, after: Redemption | None
    ) -> bool:
        """End a redemption: write it anew, or take it away; False if another console was first."""
        key = operator_keys.reset_redemptions(account_id)
        args = [reset_id, began.request_id, _written(after) if after else ""]
        return bool(await self._scripts.run("settle_redemption", [key], args, durably=True))


def _written(redemption: Redemption) -> str:
    return msgspec.json.encode(redemption).decode()


def _read(body: str) -> Redemption | None:
    return read_json(body, Redemption, kind="reset redemption", name="")
