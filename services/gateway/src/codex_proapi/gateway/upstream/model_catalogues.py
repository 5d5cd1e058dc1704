"""Model catalogues of accounts: fetched from the backend, stored in Redis, merged into one.

An account's list is fetched by one replica when it is an hour old, or when an answer has another
etag. Resolving a name to a model is `commons.codex.model_catalogue`.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
import structlog
from redis.asyncio import Redis

from codex_proapi.commons.accounts.kinds import kind_of
from codex_proapi.commons.accounts.view import AccountView
from codex_proapi.commons.codex.errors import ModelListUnreadable
from codex_proapi.commons.codex.model_catalogue import Catalogue
from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import ask, mapped
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.gateway.formats.codex.model_rows import ModelRow, etag_of, reduced, rows_for
from codex_proapi.gateway.metrics.registry import Metrics
from codex_proapi.gateway.metrics.series import RedisWork
from codex_proapi.gateway.upstream.account_api import AccountApi, ApiResponse
from codex_proapi.gateway.upstream.catalogue_rows import CatalogueRows

FRESH_SECONDS: Final = 3600.0
"""Age from which a list is fetched again."""
KEPT_SECONDS: Final = keyspace.DAY
CHECK_SECONDS: Final = 30.0
"""Seconds between two reads of the lists in Redis."""
FETCH_SECONDS: Final = 60
"""Seconds that a replica's lock for fetching a list lasts."""
MOST_ETAGS: Final = 256
"""Most sets of allowed models whose entity tag is remembered."""

log = structlog.get_logger(__name__)


class Kept(msgspec.Struct, frozen=True):
    """One account's list as stored in Redis."""

    at: float
    etag: str
    body: msgspec.Raw


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """The operator's settings for models."""

    default_model: str = ""
    """The default model; empty for the best of the catalogue."""
    aliases: dict[str, str] = {}
    disabled: tuple[str, ...] = ()
    """Models that are not offered although accounts list them."""


class ModelCatalogues:
    """The lists of all accounts, and the catalogue merged from them."""

    def __init__(
        self,
        redis: Redis,
        *,
        calls: AccountApi,
        view: AccountView,
        clock: Callable[[], float],
        metrics: Metrics,
    ) -> None:
        self._redis = redis
        self._calls = calls
        self._view = view
        self._clock = clock
        self._metrics = metrics
        self._names = Names()
        self._built_in = Catalogue.built_in()
        self._kept: dict[str, Kept] = {}
        self._slugs: dict[str, frozenset[str]] = {}
        self._etags: dict[str, str] = {}
        self._wake = asyncio.Event()
        self._version_seen = -1
        self._rows = CatalogueRows(redis)
        self._described: dict[str, dict[str, Any]] | None = None
        self._etags_told: dict[tuple[str, ...], str] = {}
        self.revision = 0
        """Counts changes of what accounts list."""
        self.current = self._built_in
        """The catalogue in force."""
        self._unite()

    def __repr__(self) -> str:
        return f"<ModelCatalogues of {len(self._kept)} accounts: {self.current!r}>"

    def lists(self, account_id: str, model: str) -> bool:
        """Whether an account lists a model; True where its list is not known."""
        slugs = self._slugs.get(account_id)
        return slugs is None or model in slugs

    def observe_etag(self, account_id: str, etag: str) -> None:
        """Note the etag of an account's list from an answer's headers."""
        kept = self._kept.get(account_id)
        if kept is not None and kept.etag != etag and self._etags.get(account_id) != etag:
            self._etags[account_id] = etag
            self._wake.set()

    def observe_accounts(self) -> None:
        """Fetch the lists of accounts that have come since the last call, at once."""
        if self._version_seen != self._view.version:
            self._version_seen = self._view.version
            if not self._view.accounts.keys() <= self._kept.keys():
                self._wake.set()

    def configure(self, names: Names) -> None:
        """Set the default model, aliases and disabled models."""
        if names != self._names:
            self._names = names
            self._built_in = Catalogue.built_in(
                default_model=names.default_model or None, aliases=names.aliases
            )
            self._unite()

    def refuses_version(self, slug: str, version: str) -> bool:
        """Whether a model takes no client as old as this version, as far as its row says."""
        model = self.current.find(slug) or self._built_in.find(slug)
        return model is not None and model.refuses_version(version)

    def codex_etag(self, allowed: Sequence[str] = ()) -> str:
        """The entity tag of `codex_rows` for a key with these models."""
        key = tuple(allowed)
        known = self._etags_told.get(key)
        if known is None:
            if len(self._etags_told) >= MOST_ETAGS:
                self._etags_told.clear()
            known = self._etags_told[key] = etag_of(self._rows_for(allowed))
        return known

    async def codex_rows(self, allowed: Sequence[str] = ()) -> list[dict[str, Any]]:
        """The models as upstream describes them, and aliases, for a Codex client.

        Empty until a list of an account is known: the client then keeps what it carries. Raises
        StoreUnavailable.

        Args:
            allowed: slugs that the key may use; empty for all.
        """
        rows = self._rows_for(allowed)
        whole = await self._rows.find({row.digest for row in rows if row.digest})
        written = (row.written(whole.get(row.digest)) for row in rows)
        return [row for row in written if row is not None]

    def _rows_for(self, allowed: Sequence[str]) -> list[ModelRow]:
        described = self._described
        if described is None:
            described = self._described = {}
            for kept in self._kept.values():
                for entry in msgspec.json.decode(kept.body)["models"]:
                    described.setdefault(str(entry.get("slug")), entry)
        return rows_for(self.current, described, allowed)

    async def load(self) -> None:
        """Read the stored lists. Raises StoreUnavailable."""
        ids = list(self._view.accounts)
        kept: dict[str, Kept] = {}
        if ids:
            names = [keyspace.catalogue(account_id) for account_id in ids]
            found = await ask(lambda: self._redis.mget(names))
            kept = {
                account_id: entry
                for account_id, body in zip(ids, found, strict=True)
                if body and (entry := _decoded(body)) is not None
            }
        if {i: k.at for i, k in kept.items()} != {i: k.at for i, k in self._kept.items()}:
            self._kept = kept
            self._unite()

    async def fetch_stale(self) -> None:
        """Fetch lists that are stale or have another etag. Raises StoreUnavailable."""
        now = self._clock()
        for account in list(self._view.accounts.values()):
            if account.is_paused or not kind_of(account).has_catalogue:
                continue
            kept = self._kept.get(account.id)
            wanted = self._etags.get(account.id)
            changed = kept is not None and wanted is not None and wanted != kept.etag
            fresh = kept is not None and kept.at > now - FRESH_SECONDS
            if (fresh and not changed) or not await self._elected(account.id):
                continue
            told = await self._calls.models(account)
            if told is not None and await self._keep(account.id, told):
                self._etags.pop(account.id, None)

    async def run(self) -> None:
        """Keep the catalogue current, until cancelled."""
        while True:
            # Cleared first: what is noticed during the work below is worked on after it.
            self._wake.clear()
            try:
                await self.load()
                await self.fetch_stale()
            except StoreUnavailable as error:
                self._metrics.redis_failed(RedisWork.SYNC)
                log.debug("catalogue.kept", error=str(error))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), CHECK_SECONDS)

    async def _elected(self, account_id: str) -> bool:
        with mapped():
            key = keyspace.catalogue_poll(account_id)
            return bool(await self._redis.set(key, "1", nx=True, ex=FETCH_SECONDS))

    async def _keep(self, account_id: str, told: ApiResponse) -> bool:
        """Store a list that can be parsed, without its large texts."""
        try:
            body, whole = reduced(told.body)
            entry = Kept(self._clock(), told.etag, msgspec.Raw(body))
            self._built_in.with_live(bytes(entry.body))
        except ModelListUnreadable as error:
            log.warning("catalogue.unreadable", account=account_id, error=str(error))
            return False
        await self._rows.put(whole)
        with mapped():
            name = keyspace.catalogue(account_id)
            await self._redis.set(name, msgspec.json.encode(entry), ex=KEPT_SECONDS)
        self._kept = {**self._kept, account_id: entry}
        self._unite()
        log.info("catalogue.fetched", account=account_id, models=len(self._slugs[account_id]))
        return True

    def _unite(self) -> None:
        """Merge all lists into one catalogue."""
        lists = {account_id: bytes(kept.body) for account_id, kept in self._kept.items()}
        self.revision += 1
        self._described = None
        self._etags_told = {}
        # Accounts of one plan have the same list: each list is decoded once, not once an account.
        slugs = {body: self._slugs_in(body) for body in set(lists.values())}
        self._slugs = {account_id: slugs[body] for account_id, body in lists.items()}
        united = self._built_in
        if lists:
            united = united.with_live(*_distinct(list(lists.values())))
        if self._names.disabled:
            united = Catalogue(
                [model for model in united.models if model.slug not in self._names.disabled],
                default_model=self._names.default_model or None,
                aliases=self._names.aliases,
            )
        self.current = united
        self._metrics.know_models(frozenset(model.slug for model in united.models))

    def _slugs_in(self, body: bytes) -> frozenset[str]:
        return frozenset(model.slug for model in self._built_in.with_live(body).models)


def _distinct(lists: Sequence[bytes]) -> list[bytes]:
    """The lists without repetitions: each where it comes first, and last, whose entries count."""
    first = {body: index for index, body in reversed(list(enumerate(lists)))}
    last = {body: index for index, body in enumerate(lists)}
    return [lists[index] for index in sorted({*first.values(), *last.values()})]


def _decoded(body: str | bytes) -> Kept | None:
    """Decode a stored list; None if another version of the gateway stored it in another format."""
    try:
        kept = msgspec.json.decode(body, type=Kept)
        Catalogue([]).with_live(bytes(kept.body))
    except (msgspec.MsgspecError, ModelListUnreadable):
        return None
    return kept
