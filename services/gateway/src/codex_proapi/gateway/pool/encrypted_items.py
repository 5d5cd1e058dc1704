"""Encrypted items never cross accounts: a conversation carries only what its account can read.

Reasoning and compacted history come back from upstream encrypted for one account. When a
conversation moves, its items are left out, and by their digests it is remembered that the account
it moved to cannot read them. Everything newer is that account's own.
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
    """Knows which encrypted items an account can read."""

    def __init__(self, redis: Redis, ledger: Ledger) -> None:
        self._redis = redis
        self._ledger = ledger

    def __repr__(self) -> str:
        return "<EncryptedItems>"

    async def readable(
        self, request: UpstreamRequest, lease: Lease, fingerprint: str
    ) -> UpstreamRequest:
        """The request with what this account can read.

        Without Redis it is sent as it is: a refusal for its encrypted items is answered without them.
        """
        if not has_encrypted(request):
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
        """An account answered without some of the items asked with: they are not its own."""
        if sent is asked or not fingerprint or len(sent.input) == len(asked.input):
            return
        kept = {digest for item in sent.input if (digest := _digest(item))}
        lost = {digest for item in asked.input if (digest := _digest(item))} - kept
        if lost:
            self._ledger.mark_unreadable(fingerprint, frozenset(lost))


def _of_account(request: UpstreamRequest, account_id: str, *, unmarked: bool) -> UpstreamRequest:
    """The request without items that another account encrypted; itself where there are none.

    A client may send a mark of the account along (`encrypted_for`), which is known also where the
    conversation's own account is not; `unmarked` is whether items without a mark stay.
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


def has_encrypted(request: UpstreamRequest) -> bool:
    """Whether a request carries items that only one account can read."""
    return any(CONTENT in item and item[CONTENT] for item in request.input)


def _digest(item: Item) -> str:
    """A short name for an item's encrypted content; empty where there is none."""
    content = item.get(CONTENT)
    if not isinstance(content, str) or not content:
        return ""
    return hashlib.blake2b(content.encode(), digest_size=9).hexdigest()
