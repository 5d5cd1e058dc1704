"""The list of API keys as its page asks for it: which, and in which order. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import msgspec

from codex_proapi.commons.api_keys.store import ApiKey

SORTS = ("name", "newest", "used", "tokens", "expires")
STATES = ("active", "expired", "revoked")
MOST_OWNERS = 200
"""Owners, and groups, to choose from; the search finds the others."""
_NEVER = 1 << 40


class KeyQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What an address asks for; empty is all keys, by name."""

    sort: str = SORTS[0]
    state: str = ""
    owner: str = ""
    group: str = ""

    @property
    def filtered(self) -> bool:
        """Whether some keys may be left out."""
        return bool(self.state or self.owner or self.group)

    @property
    def kept(self) -> str:
        """What the address of another page has to say again, with a leading `&`."""
        asked = msgspec.structs.asdict(self)
        said = {name: value for name, value in asked.items() if value and value != SORTS[0]}
        return f"&{urlencode(said)}" if said else ""


def query_of(asked: Mapping[str, str]) -> KeyQuery:
    """The query of an address (`sort`, `state`, `owner`, `group`); words that mean nothing are left out."""
    sort, state = asked.get("sort", ""), asked.get("state", "")
    return KeyQuery(
        sort=sort if sort in SORTS else SORTS[0],
        state=state if state in STATES else "",
        owner=asked.get("owner", "")[:100],
        group=asked.get("group", "")[:100],
    )


def state_of(key: ApiKey, now: float) -> str:
    """`active`, `expired` or `revoked`."""
    return "revoked" if key.revoked else "expired" if key.expired(now) else "active"


def owners_of(keys: Sequence[ApiKey]) -> tuple[str, ...]:
    """Everybody who owns a key, in alphabetical order."""
    return tuple(sorted({key.owner for key in keys} - {""}, key=str.casefold)[:MOST_OWNERS])


def groups_of(keys: Sequence[ApiKey]) -> tuple[str, ...]:
    """Every group of a key, in alphabetical order."""
    return tuple(sorted({key.group for key in keys} - {""}, key=str.casefold)[:MOST_OWNERS])


def chosen(
    keys: Sequence[ApiKey], query: KeyQuery, *, now: float, tokens: Mapping[str, int]
) -> list[ApiKey]:
    """The keys of a query in its order; those that work come first.

    Args:
        keys: Every key.
        query: What is asked for.
        now: Seconds since the epoch.
        tokens: Tokens of today by id.
    """
    orders: dict[str, Callable[[ApiKey], Any]] = {
        "name": lambda _: (),
        "newest": lambda key: -key.created_at,
        "used": lambda key: -key.last_used_at,
        "tokens": lambda key: -tokens.get(key.id, 0),
        "expires": lambda key: key.expires_at or _NEVER,
    }
    order = orders[query.sort]
    wanted = [
        key
        for key in keys
        if query.state in {"", state_of(key, now)}
        and query.owner in {"", key.owner}
        and query.group in {"", key.group}
    ]
    return sorted(
        wanted,
        key=lambda key: (
            state_of(key, now) != STATES[0],
            order(key),
            key.name.casefold(),
            key.id,
        ),
    )
