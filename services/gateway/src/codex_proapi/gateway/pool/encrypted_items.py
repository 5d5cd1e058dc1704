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
        if not lease.is_affine:
            return request.without_encrypted()
        request = _of_account(request, lease.account.id)
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


def _of_account(request: UpstreamRequest, account_id: str) -> UpstreamRequest:
    """The request without items whose sender says that another account encrypted them."""
    marks = request.encrypted_for
    mark = account_mark(account_id)
    if not marks or all(each == mark for each in marks.values()):
        return request
    kept = tuple(item for item in request.input if marks.get(item.get(CONTENT, ""), mark) == mark)
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
