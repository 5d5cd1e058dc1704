"""This replica's copy of the cooldowns, which Redis sends only when they have changed."""

import math
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from codex_proapi.commons.accounts.cooldowns import read_cooldown
from codex_proapi.commons.accounts.model import Cooldown, CooldownReason
from codex_proapi.commons.balancing.select_account import PASSED_OVER
from codex_proapi.commons.codex.substitution import RESERVE

MOST_SECONDS: Final = 5.0
"""Seconds after which the copy is read again in any case: a replica of an older version does not
count its changes, and a replica of Redis that was promoted may have lost some."""
MOST_MODELS: Final = 64
"""Most models whose cooldowns are kept merged."""


class _Merged(msgspec.Struct, frozen=True):
    """The cooldowns that hold for one model."""

    until: float
    """When the first of them ends; inf if there is none."""
    by_account: Mapping[str, Cooldown]


class _Decoded(msgspec.Struct, frozen=True):
    """One field of the hash, decoded."""

    json: str
    account: str
    model: str
    cooldown: Cooldown | None
    """None if it cannot be read."""


class CooldownCache:
    """The cooldowns of all accounts and models."""

    def __init__(self) -> None:
        self._version = ""
        self._read_at = -math.inf
        self._fields: Sequence[str] = ()
        self._decoded: Mapping[str, _Decoded] = {}
        self._merged: dict[str, _Merged] = {}

    def __repr__(self) -> str:
        return f"<CooldownCache of {len(self._decoded)}, version {self._version or 'none'}>"

    @property
    def read_version(self) -> str:
        """The version of what was read last; empty before the first time."""
        return self._version

    def version(self, now: float) -> str:
        """The version of the copy; empty if it must be read again.

        Args:
            now: seconds since the epoch.
        """
        return self._version if 0 <= now - self._read_at < MOST_SECONDS else ""

    def replace(self, version: str, fields: Sequence[str], *, now: float) -> None:
        """Replace the copy, unless it was read later.

        Args:
            version: the version of what was read.
            fields: names (`account` or `account:model`) and JSON cooldowns in turn.
            now: when it was read, seconds since the epoch by Redis' clock.
        """
        if 0 < self._read_at - now < MOST_SECONDS:
            return
        unchanged = fields == self._fields
        self._version, self._read_at, self._fields = version, now, fields
        if unchanged:
            return
        # Of a thousand cooldowns one has changed: the others are not decoded again.
        before = self._decoded
        self._decoded = {
            name: before[name]
            if name in before and before[name].json == json
            else _decoded(name, json)
            for name, json in zip(fields[::2], fields[1::2], strict=True)
        }
        self._merged.clear()

    def of(self, model: str, now: float) -> Mapping[str, Cooldown]:
        """The cooldowns in force for a model, by account id.

        Of two cooldowns of an account, its own and the model's, the one counts that excludes it
        altogether, else the later end. The same object is given until one of them changes or ends.

        Args:
            model: the model to be sent.
            now: seconds since the epoch.
        """
        merged = self._merged.get(model)
        if merged is None or merged.until <= now:
            if len(self._merged) >= MOST_MODELS:
                self._merged.clear()
            merged = self._merged[model] = self._merge(model, now)
        return merged.by_account

    def _merge(self, model: str, now: float) -> _Merged:
        found: dict[str, Cooldown] = {}
        for each in self._decoded.values():
            cooldown = each.cooldown
            if cooldown is None or cooldown.until <= now or each.model not in ("", model):
                continue
            if model == RESERVE and not each.model and cooldown.reason is CooldownReason.QUOTA:
                continue  # the ordinary windows are shut: that is when a reserve serves
            held = found.get(each.account)
            if held is None or _weight(cooldown) > _weight(held):
                found[each.account] = cooldown
        until = min((cooldown.until for cooldown in found.values()), default=math.inf)
        return _Merged(until, found)


def _weight(cooldown: Cooldown) -> tuple[bool, float]:
    return cooldown.reason not in PASSED_OVER, cooldown.until


def _decoded(name: str, json: str) -> _Decoded:
    account_id, _, model = name.partition(":")
    return _Decoded(json, account_id, model, read_cooldown(json, name=name))
