"""The models as accounts report them, decoded tolerantly from what the gateway stores.

The gateway decides what a name resolves to; this is for display only.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from redis.asyncio import Redis

from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import ask
from codex_proapi.commons.runtime.stored_records import DecodedRecords

ALWAYS = ("gpt-5", "gpt-5-codex", "gpt-5.2-codex", "gpt-5.3-codex", "gpt-4")
"""Names the gateway accepts whatever the accounts have; they stand for the default model."""

_FIELDS_READ = frozenset(
    {
        *("slug", "id", "visibility", "display_name", "context_window", "priority"),
        *("supported_reasoning_levels", "efforts", "default_reasoning_level", "default_effort"),
    }
)
"""What is read of a model; a catalogue has much more, such as its instructions."""
_DECODED: DecodedRecords[bytes, list[Mapping[str, Any]]] = DecodedRecords()
"""Models by account, for the digest of the catalogue they were decoded from."""


class SeenModel(msgspec.Struct, frozen=True, kw_only=True):
    """One model of the catalogue."""

    id: str
    name: str
    context: int
    """Tokens it can read; 0 is unknown."""
    efforts: tuple[str, ...]
    default_effort: str
    priority: int
    """Lower comes first."""
    accounts: tuple[str, ...]
    """Ids of the accounts that have it."""


async def load_models(
    redis: Redis, account_ids: Sequence[str], *, hidden: bool = False
) -> list[SeenModel]:
    """The models of these accounts, best first; empty when none has reported yet.

    Args:
        redis: Where the gateway keeps the catalogues.
        account_ids: Whose.
        hidden: Also those that are offered but not listed.
    """
    if not account_ids:
        return []
    keys = [keyspace.catalogue(account_id) for account_id in account_ids]
    kept = await ask(lambda: redis.mget(keys))
    bodies = {id_: body for id_, body in zip(account_ids, kept, strict=True) if body is not None}
    digests = {id_: _digest(body) for id_, body in bodies.items()}
    reported = _DECODED.of(digests, lambda _, id_: _decoded(bodies[id_]))
    return unite(reported, hidden=hidden)


async def offered_by(redis: Redis, accounts: AccountStore) -> list[SeenModel]:
    """The models of every account, hidden ones too."""
    ids = [account.id for account in await accounts.list()]
    return await load_models(redis, ids, hidden=True)


def unite(
    reported: Mapping[str, Sequence[Mapping[str, Any]]], *, hidden: bool = False
) -> list[SeenModel]:
    """One entry for each model, with the accounts that have it; hidden ones only if asked for."""
    facts: dict[str, Mapping[str, Any]] = {}
    holders: dict[str, list[str]] = {}
    for account_id, models in reported.items():
        for model in models:
            slug = model.get("slug") or model.get("id")
            listed = hidden or model.get("visibility", "list") == "list"
            if isinstance(slug, str) and slug and listed:
                facts.setdefault(slug, model)
                holders.setdefault(slug, []).append(account_id)
    found = [_seen(slug, model, tuple(holders[slug])) for slug, model in facts.items()]
    return sorted(found, key=lambda model: (model.priority, model.id))


def _seen(slug: str, model: Mapping[str, Any], accounts: tuple[str, ...]) -> SeenModel:
    levels = model.get("supported_reasoning_levels") or model.get("efforts") or ()
    efforts = (each.get("effort") if isinstance(each, dict) else each for each in levels)
    return SeenModel(
        id=slug,
        name=_text(model.get("display_name")),
        context=_number(model.get("context_window")),
        efforts=tuple(effort for effort in efforts if isinstance(effort, str)),
        default_effort=_text(model.get("default_reasoning_level") or model.get("default_effort")),
        priority=_number(model.get("priority"), missing=1000),
        accounts=accounts,
    )


def _decoded(body: str | bytes) -> list[Mapping[str, Any]]:
    """The list of models in what was kept; empty where another version kept something else."""
    try:
        kept = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return []
    listed = kept.get("body") if isinstance(kept, dict) else None
    models = listed.get("models") if isinstance(listed, dict) else None
    return [
        {name: value for name, value in model.items() if name in _FIELDS_READ}
        for model in (models if isinstance(models, list) else ())
        if isinstance(model, dict)
    ]


def _digest(body: str | bytes) -> bytes:
    return hashlib.blake2b(
        body.encode() if isinstance(body, str) else body, digest_size=16
    ).digest()


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _number(value: object, *, missing: int = 0) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else missing
