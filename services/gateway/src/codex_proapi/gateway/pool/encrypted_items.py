"""Filters encrypted items: a request contains only those that its account can decrypt.

Upstream encrypts reasoning and compacted history for one account. When a conversation moves to
another account its encrypted items are left out, and their digests are stored as unreadable for the
new account; items not stored there count as the new account's own.
"""

import hashlib

import msgspec
from redis.asyncio import Redis

from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import ask, text
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.gateway.accounting.ledger import Ledger
from codex_proapi.gateway.formats.codex.requests import Item, UpstreamRequest, account_mark
from codex_proapi.gateway.pool.lease import Lease

CONTENT = "encrypted_content"


class EncryptedItems:
    """Removes encrypted items that an account cannot read, and records which those are."""

    def __init__(self, redis: Redis, ledger: Ledger) -> None:
        self._redis = redis
        self._ledger = ledger

    def __repr__(self) -> str:
        return "<EncryptedItems>"

    async def readable(
        self, request: UpstreamRequest, lease: Lease, fingerprint: str
    ) -> UpstreamRequest:
        """The request without encrypted items that the leased account cannot read.

        If Redis is away only the client's own marks are used; should upstream refuse an item, the
        attempt is repeated without encrypted items.
        """
        for item in request.input:
            if item.get(CONTENT):
                break
        else:
            return request
        request = _of_account(request, lease.account.id, unmarked=lease.is_affine)
        if not lease.is_affine:
            return request
        if lease.sole or not fingerprint:
            return request
        key = keyspace.foreign(fingerprint)
        try:
            foreign = frozenset(map(text, await ask(lambda: self._redis.smembers(key))))
        except StoreUnavailable:
            return request
        if not foreign:
            return request
        kept = tuple(item for item in request.input if _digest(item) not in foreign)
        return msgspec.structs.replace(request, input=kept)

    def moved(self, asked: UpstreamRequest, sent: UpstreamRequest, fingerprint: str) -> None:
        """Record items that were left out of a request that succeeded, as unreadable.

        Args:
            asked: the request before filtering.
            sent: the request that was answered.
            fingerprint: names the conversation; empty for none.
        """
        if sent is asked or not fingerprint or len(sent.input) == len(asked.input):
            return
        kept = {digest for item in sent.input if (digest := _digest(item))}
        lost = {digest for item in asked.input if (digest := _digest(item))} - kept
        if lost:
            self._ledger.mark_unreadable(fingerprint, frozenset(lost))


def _of_account(request: UpstreamRequest, account_id: str, *, unmarked: bool) -> UpstreamRequest:
    """The request without items encrypted for another account; the same object if there are none.

    A client may return the mark of an item's account (`encrypted_for`). Items without a mark are
    kept if `unmarked` is True.
    """
    mark, marks = account_mark(account_id), request.encrypted_for

    def is_readable(item: Item) -> bool:
        content = item.get(CONTENT)
        if not content:
            return True
        known = marks.get(content) if isinstance(content, str) else None
        return unmarked if known is None else known == mark

    kept = tuple(filter(is_readable, request.input))
    if len(kept) == len(request.input):
        return request
    return msgspec.structs.replace(request, input=kept)


def _digest(item: Item) -> str:
    """The digest of an item's encrypted content, 18 hex digits; empty if it has none."""
    content = item.get(CONTENT)
    if not isinstance(content, str) or not content:
        return ""
    return hashlib.blake2b(content.encode(), digest_size=9).hexdigest()
