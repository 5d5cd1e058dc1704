"""GET and DELETE /responses/{id}, GET /responses/{id}/input_items: what is stored of a response.

In the format of OpenAI's API. A key sees only its own responses, for as long as they can be
continued; nothing here is charged to it.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, NoReturn

import msgspec

from codex_proapi.commons.api_keys.store import ApiKey
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.gateway.errors import BadRequest, StoreUnreachable, UnknownResponse
from codex_proapi.gateway.exchange.stored_responses import ResponseStore, StoredResponse
from codex_proapi.gateway.formats.openai.responses import ID_PREFIXES

DEFAULT_LIMIT: Final = 20
MOST_LISTED: Final = 100
"""Default and bound of `limit`, as OpenAI's API has them."""
_NUMBER: Final = re.compile(r"[0-9]{1,4}", re.ASCII)


class StoredResponses:
    """The routes' work on the store; each gives the JSON body of its answer.

    All raise UnknownResponse for a response that is unknown, expired or of another key, and
    StoreUnreachable without Redis.
    """

    def __init__(self, store: ResponseStore) -> None:
        self._store = store

    def __repr__(self) -> str:
        return "<StoredResponses>"

    async def show(self, key: ApiKey | None, response_id: str, query: Mapping[str, str]) -> bytes:
        """The response object as its client received it.

        Raises BadRequest for `stream=true`: a stored answer cannot be streamed again.
        """
        if query.get("stream", "false").lower() not in {"false", "0", ""}:
            raise BadRequest(
                "A stored response cannot be streamed",
                code="unsupported_parameter",
                param="stream",
            )
        found = await self._found(key, response_id)
        return found.body or _unknown(response_id)

    async def input_items(
        self, key: ApiKey | None, response_id: str, query: Mapping[str, str]
    ) -> bytes:
        """One page of the items before the answer, earlier turns included.

        Args:
            key: the client's key; None in open mode.
            response_id: id of the response.
            query: `limit` (1 to 100), `order` (`asc` or `desc`), `after` (the id of an item).

        Raises BadRequest for a value that none of them can have.
        """
        limit, order = _limit(query.get("limit", "")), query.get("order") or "desc"
        if order not in {"asc", "desc"}:
            raise BadRequest("'order' must be 'asc' or 'desc'", param="order")
        history = (await self._found(key, response_id)).history
        items = [_identified(item, response_id, index) for index, item in enumerate(history)]
        if order == "desc":
            items.reverse()
        return msgspec.json.encode(_page(items, limit=limit, after=query.get("after", "")))

    async def delete(self, key: ApiKey | None, response_id: str) -> bytes:
        """Delete a response; those that continue it stay."""
        try:
            deleted = await self._store.delete(_id_of(key), response_id)
        except StoreUnavailable:
            raise StoreUnreachable(_AWAY) from None
        if not deleted:
            _unknown(response_id)
        return msgspec.json.encode({"id": response_id, "object": "response", "deleted": True})

    async def _found(self, key: ApiKey | None, response_id: str) -> StoredResponse:
        try:
            found = await self._store.get(_id_of(key), response_id)
        except StoreUnavailable:
            raise StoreUnreachable(_AWAY) from None
        return found or _unknown(response_id)


_AWAY: Final = "The stored responses cannot be read at the moment. Please try again."


def _unknown(response_id: str) -> NoReturn:
    raise UnknownResponse(f"Response with id '{response_id}' not found.")


def _id_of(key: ApiKey | None) -> str:
    return key.id if key else ""


def _limit(asked: str) -> int:
    if not asked:
        return DEFAULT_LIMIT
    if not _NUMBER.fullmatch(asked) or not 1 <= int(asked) <= MOST_LISTED:
        raise BadRequest(f"'limit' must be a number from 1 to {MOST_LISTED}", param="limit")
    return int(asked)


def _identified(item: bytes, response_id: str, index: int) -> dict[str, Any]:
    """An item with an id: its own, else one that is the same in every listing of this response."""
    decoded: dict[str, Any] = msgspec.json.decode(item)
    if not isinstance(decoded.get("id"), str) or not decoded["id"]:
        prefix = ID_PREFIXES.get(str(decoded.get("type")), "item")
        digest = hashlib.sha256(f"{response_id} {index}".encode()).hexdigest()[:32]
        decoded["id"] = f"{prefix}_{digest}"
    return decoded


def _page(items: Sequence[dict[str, Any]], *, limit: int, after: str) -> dict[str, Any]:
    """The page of a list that begins after the item of an id, or at its begin."""
    begin = 0
    if after:
        begin = next((n for n, item in enumerate(items, 1) if item["id"] == after), 0)
        if not begin:
            raise BadRequest("'after' is not the id of an item in this list", param="after")
    page = items[begin : begin + limit]
    return {
        "object": "list",
        "data": page,
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
        "has_more": begin + limit < len(items),
    }
