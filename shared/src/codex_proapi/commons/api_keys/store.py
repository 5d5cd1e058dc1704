"""API keys: their model, their store, and the cache that authenticates requests.

A key's secret is shown once and never stored; it is found by its SHA-256. It has 256 random bits, so
a copy of Redis reveals no key, and keys stay valid whatever happens to the encryption keys.

Releases before stored an HMAC under the encryption keys instead. Such a key is found by it, and by
its SHA-256 from its first use on; new secrets are stored under both, for replicas of those releases.
"""

import functools
import hashlib
import math
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec
from redis.asyncio import Redis

from codex_proapi.commons.api_keys.limits import Limits
from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import ask, text
from codex_proapi.commons.redis.hash_reads import HashReads, fields_of
from codex_proapi.commons.redis.scripts import Scripts
from codex_proapi.commons.redis.stored_reads import StoredRead, read_each
from codex_proapi.commons.redis.type_repair import Form, TypeRepair
from codex_proapi.commons.runtime.cipher import Cipher
from codex_proapi.commons.runtime.stored_records import UNREADABLE, DecodedRecords, read_fields
from codex_proapi.commons.runtime.tasks import SingleFlight

SECRET_PREFIX = "cpa-"  # noqa: S105 - how every key begins, so that scanners can find one
"""Begin of every key we make."""
PREFIX_LENGTH = 8
"""Characters of a key that are kept to recognise it by."""
GONE = -2
"""What Redis gives for the time left of a key that is not there (any more)."""
LEAST_WEIGHT, MOST_WEIGHT = 0.1, 100.0
"""Bounds of a key's weight, so that no key gets nothing and none gets nearly all."""


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """An API key with its owner and limits, without its secret."""

    id: str
    """Our opaque id, `key_…`; safe in logs and metrics."""
    name: str
    """What it is for."""
    owner: str = ""
    """Whose it is."""
    group: str = ""
    """Name of the group of keys it belongs to; owners of accounts admit groups by it."""
    prefix: str = ""
    """Its first characters, to recognise it by."""
    created_at: int = 0
    """Seconds since the epoch."""
    expires_at: int = 0
    """Seconds since the epoch; 0 is never."""
    revoked: bool = False
    """Whether it was taken back."""
    last_used_at: int = 0
    """When it last made a request, seconds since the epoch; 0 is never."""
    allowed_models: tuple[str, ...] = ()
    """Models it may ask for; empty is all."""
    default_model: str = ""
    """Model when a client names none or one that we do not have; empty is ours."""
    default_effort: str = ""
    """Reasoning effort when a client names none; empty is the model's."""
    reasoning_summary: str = ""
    """Reasoning summary when a client asks neither for one nor for none: `auto`, `concise`,
    `detailed` or `none`; empty is the setting's."""
    max_effort: str = ""
    """The highest reasoning effort it may ask for, a higher one is lowered; empty is any."""
    fast_tier: str = ""
    """Whether it may ask for the fast service tier: `ignore` leaves the tier out, `refuse` refuses
    the request; empty allows it."""
    model_fallbacks: str = ""
    """`model=other` pairs, with commas: models that serve where no account can serve the first for a
    while; `none` for none, empty for the setting's."""
    small_work_models: str = ""
    """`class=model` pairs, with commas: models that do small work; `none` for none, empty for the
    setting's."""
    allowed_accounts: tuple[str, ...] = ()
    """Account ids it may spend; empty is all."""
    limits: Limits = Limits()
    """What it may spend."""
    weight: float = 1.0
    """Its share when the pool is scarce, in proportion to the weights of the other active keys."""

    def expired(self, now: float) -> bool:
        """Whether its expiry has passed."""
        return 0 < self.expires_at <= now


class KeyLookup(msgspec.Struct, frozen=True, kw_only=True):
    """Result of looking a secret up."""

    version: int
    """The keys' version, read first."""
    key: ApiKey | None = None
    """The key with this secret, revoked ones too."""
    seconds: float | None = None
    """How long the secret goes on working after the key was rotated; None is not limited so."""


class KeyStore:
    """The API keys, shared by every replica."""

    def __init__(self, redis: Redis, cipher: Cipher) -> None:
        self._redis = redis
        self._cipher = cipher
        self._scripts = Scripts(redis, __package__)
        self._repair = TypeRepair(redis)
        self._hashes = HashReads(redis, "key")
        self._decoded: DecodedRecords[tuple[Any, ...], ApiKey] = DecodedRecords()

    def __repr__(self) -> str:
        return "<KeyStore>"

    async def create(self, name: str, **facts: Any) -> tuple[ApiKey, str]:
        """Create a key; returns it and its secret, which is shown this once.

        Args:
            name: What it is for.
            facts: Other fields of ApiKey.
        """
        secret = _secret()
        key = ApiKey(id=f"key_{secrets.token_hex(6)}", name=name, prefix=_prefix(secret), **facts)
        await self._keep(key.id, secret, _fields(key))
        return key, secret

    async def find(self, secret: str) -> ApiKey | None:
        """The key with this secret, revoked ones too; None if there is none."""
        return (await self.lookup(secret)).key

    async def lookup(self, secret: str) -> KeyLookup:
        """Look a secret up: its key, and how long the secret stays valid."""
        digests = self._digests(secret)
        names = [keyspace.key_digest(digest) for digest in digests]

        # One by one: redis-py refuses MGET in a Cluster's pipeline, also for keys of one slot.
        commands = [*(("GET", name) for name in names), *(("PTTL", name) for name in names)]
        reads = [
            StoredRead("value", "keys-version", ("GET", keyspace.keys_version())),
            *(StoredRead("key-digest", "of a secret", command) for command in commands),
        ]
        found, *rest = await read_each(self._redis, reads)
        # Of another form it is replaced by the snapshot or by `version`: until then 0 fits no other.
        version = int(found) if text(found).isdecimal() else 0
        ids, lives = rest[: len(names)], rest[len(names) :]
        for digest, found, left in zip(digests, ids, lives, strict=True):
            if found and left != GONE and (key := await self.get(text(found))) is not None:
                if digest != digests[0]:
                    await self._adopt(key.id, digest, digests[0])
                seconds = left / 1000 if left >= 0 else None
                return KeyLookup(version=version, key=key, seconds=seconds)
        return KeyLookup(version=version)

    async def of_digest(self, digest: str) -> ApiKey | None:
        """The key with the secret of this SHA-256, revoked ones too; None once no secret has it."""
        name = keyspace.key_digest(digest)
        [found] = await read_each(
            self._redis, [StoredRead("key-digest", "of a secret", ("GET", name))]
        )
        return await self.get(text(found)) if found else None

    async def get(self, key_id: str) -> ApiKey | None:
        """One key, or None."""
        return _key(await self._read(key_id), key_id)

    async def list(self) -> Sequence[ApiKey]:
        """Every key, oldest first."""
        read = await self._hashes.records(_names(await self._ids()))
        found = self._decoded.of(read, lambda record, key_id: _key(fields_of(record), key_id))
        return sorted(found.values(), key=lambda key: (key.created_at, key.id))

    async def names(self, key_ids: Iterable[str] | None = None) -> dict[str, str]:
        """The names of some keys, or of all, by id; without those that are gone."""
        return await self._hashes.field(
            _names(await self._ids() if key_ids is None else key_ids), "name"
        )

    async def count(self) -> int:
        """How many keys there are, revoked ones too."""
        return int(await ask(lambda: self._redis.scard(keyspace.keys())))

    async def _ids(self) -> Iterable[str]:
        return sorted(map(text, await ask(lambda: self._redis.smembers(keyspace.keys()))))

    async def patch(self, key_id: str, **changes: Any) -> ApiKey | None:
        """Change fields of a key; None if it is unknown. Raises TypeError for an unknown field."""
        stored = await self._read(key_id)
        key = _key(stored, key_id)
        if key is None:
            return None
        changed = msgspec.structs.replace(key, **changes)
        fields = {name: value for name, value in _fields(changed).items() if name in changes}
        if "limits" in fields:
            fields["limits"] = _merged_limits(stored.get("limits"), changed.limits)
        pairs = [part for pair in fields.items() for part in pair]
        keys = [keyspace.key(key_id), keyspace.keys_version()]
        durably = changes.get("revoked") is True  # a failover must not bring a revoked key back
        return changed if await self._run("change_key", keys, pairs, durably=durably) else None

    async def revoke(self, key_id: str) -> bool:
        """Revoke a key, on every replica from its next request on; False if it is unknown."""
        return await self.patch(key_id, revoked=True) is not None

    async def remove(self, key_id: str) -> bool:
        """Delete a key; its usage stays. False if it is unknown."""
        keys = [keyspace.keys(), keyspace.keys_version(), keyspace.key(key_id)]
        args = [key_id, keyspace.key_digest("")]
        return bool(await self._run("remove_key", keys, args, durably=True))

    async def rotate(self, key_id: str, *, overlap: int = 0) -> str | None:
        """Give a key a new secret; the old one works for `overlap` seconds more.

        None if the key is unknown or revoked.
        """
        secret = _secret()
        fields = {"prefix": _prefix(secret)}
        rotated = await self._keep(key_id, secret, fields, overlap=overlap)
        return secret if rotated else None

    async def version(self) -> int:
        """Counter of changes to any key."""
        return await self._repair.version(keyspace.keys_version())

    async def any(self) -> bool:
        """Whether a key was ever made, which ends the open policy for good."""
        return await self.version() > 0

    async def _keep(
        self, key_id: str, secret: str, fields: Mapping[str, str], *, overlap: int | None = None
    ) -> bool:
        """Store a secret: of a new key, or with `overlap` of one that exists and is not revoked."""
        digests = self._digests(secret)[:2]
        keys = [keyspace.keys(), keyspace.keys_version(), keyspace.key(key_id)]
        order = {
            "id": key_id,
            "digests": digests,
            "rotate": overlap is not None,
            "overlap": overlap or 0,
            # Digests before are known to the key's hash only; their names are built from a prefix.
            "prefix": keyspace.key_digest(""),
            "fields": fields,
        }
        args = [msgspec.json.encode(order).decode()]
        return bool(await self._run("save_key", keys, args))

    async def _run(
        self, script: str, keys: Sequence[str], args: Sequence[Any], *, durably: bool = False
    ) -> Any:
        """Run an idempotent script; a version of another Redis type goes on from a new number."""
        return await self._repair.run(
            lambda: self._scripts.repeat(script, keys, args, durably=durably),
            lambda: {keyspace.keys_version(): Form.VERSION},
        )

    async def _read(self, key_id: str) -> Mapping[Any, Any]:
        """The stored fields of a key; empty if it is unknown, or of another Redis type."""
        [fields] = await read_each(self._redis, [_read_of(key_id)])
        return fields or {}

    async def _adopt(self, key_id: str, found: str, first: str) -> None:
        """Make a key that a release before stored findable without its encryption key."""
        keys = [keyspace.key(key_id), keyspace.key_digest(found), keyspace.key_digest(first)]
        await self._scripts.repeat("adopt_digest", keys, [key_id, first])

    def _digests(self, secret: str) -> Sequence[str]:
        """What a secret is found by: its SHA-256, then its HMACs as releases before stored them."""
        plain = hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
        return [plain, *self._cipher.digests("api-key", secret)]


class KeyView:
    """The keys this process has seen, valid for the version in the last snapshot."""

    def __init__(self, store: KeyStore, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._found: dict[bytes, tuple[ApiKey, float]] = {}
        self._flights: SingleFlight[bytes, KeyLookup] = SingleFlight()
        self.version = -1

    def __repr__(self) -> str:
        return f"<KeyView {len(self._found)} keys, version {self.version}>"

    async def find(self, secret: str) -> ApiKey | None:
        """The key with this secret, cached for each version; misses are not."""
        key = self.cached(secret)
        if key is not None:
            return key
        digest, began = _digest(secret), self._clock()
        lookup = await self._flights.join(digest, functools.partial(self._store.lookup, secret))
        self.confirm(lookup.version)
        if lookup.key is None:
            self._found.pop(digest, None)
            return None
        # A rotation's overlap ends without another version: what is remembered ends with it.
        lasts = math.inf if lookup.seconds is None else lookup.seconds
        self._found[digest] = lookup.key, began + lasts
        return lookup.key

    def cached(self, secret: str) -> ApiKey | None:
        """The key with this secret, if it was found before at this version."""
        key, until = self._found.get(_digest(secret), (None, 0.0))
        return key if self._clock() < until else None

    def confirm(self, version: int) -> bool:
        """Whether what `find` returned holds at this version; if not, it empties the cache."""
        if version == self.version:
            return True
        self._found.clear()
        self.version = version
        return False


def _digest(secret: str) -> bytes:
    """What a secret is known by."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()


def _secret() -> str:
    return SECRET_PREFIX + secrets.token_urlsafe(32)


def _prefix(secret: str) -> str:
    return secret[: len(SECRET_PREFIX) + PREFIX_LENGTH]


def _fields(key: ApiKey) -> Mapping[str, str]:
    """A key as a Redis hash: texts, with JSON for what has parts."""
    return {
        name: str(int(value))
        if isinstance(value, bool)
        else value
        if isinstance(value, str)
        else msgspec.json.encode(value).decode()
        for name in key.__struct_fields__
        for value in [getattr(key, name)]
    }


def _merged_limits(stored: Any, limits: Limits) -> str:
    """Limits as stored JSON; limits that only a newer version knows stay as they are."""
    try:
        held = msgspec.json.decode(stored or "{}")
    except msgspec.DecodeError:
        held = {}
    newer = dict(held) if isinstance(held, dict) else {}
    for name in limits.__struct_fields__:
        newer.pop(name, None)
    return msgspec.json.encode(newer | msgspec.to_builtins(limits)).decode()


def _names(key_ids: Iterable[str]) -> dict[str, str]:
    """The names of the keys' hashes by id."""
    return {key_id: keyspace.key(key_id) for key_id in key_ids}


def _read_of(key_id: str) -> StoredRead:
    return StoredRead("key", key_id, ("HGETALL", keyspace.key(key_id)))


def _key(fields: Mapping[Any, Any] | None, key_id: str) -> ApiKey | None:
    """A key from its hash; None if it is gone, or this version cannot decode it."""
    if not fields or "name" not in fields:
        return None
    parts = {"allowed_models", "allowed_accounts", "limits"}
    try:
        values = {
            name: msgspec.json.decode(value) if name in parts else value
            for name, value in fields.items()
        }
    except msgspec.DecodeError:
        UNREADABLE.note("key", key_id, "no record")
        return None
    return read_fields(values, ApiKey, kind="key", name=key_id)
