"""The list of models in the format of Anthropic's `GET /v1/models`.

Claude Code's gateway discovery (2.1.332) reads `id`, `display_name` and `description`, and shows
only ids that contain `claude` or `anthropic`: so every model is listed by an alias that does, too.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from codex_proapi.commons.codex.model_catalogue import Model
from codex_proapi.gateway.errors import BadRequest

CREATED_AT: Final = "2025-01-01T00:00:00Z"
"""Constant creation date of all models: clients require one, and the backend has none."""
ALIAS_PREFIX: Final = "claude-"
"""Prefix of the alias of a model in Claude Code's list."""


MOST_LISTED: Final = 1000
"""Highest `limit` of a page."""


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of the list is asked for."""

    limit: int = MOST_LISTED
    after_id: str = ""
    """The entry before the page; empty for the first page."""
    before_id: str = ""
    """The entry after the page; the page is then the last one before it."""


def page_of(query: Mapping[str, str]) -> Page:
    """Read `limit`, `after_id` and `before_id`. Raises BadRequest."""
    limit = query.get("limit", "") or str(MOST_LISTED)
    short = limit.isascii() and limit.isdigit() and len(limit) <= len(str(MOST_LISTED))
    if not short or not 1 <= int(limit) <= MOST_LISTED:
        raise BadRequest(f"'limit' must be a number from 1 to {MOST_LISTED}", param="limit")
    return Page(
        limit=int(limit),
        after_id=query.get("after_id", ""),
        before_id=query.get("before_id", ""),
    )


def model_list(models: Iterable[Model], page: Page) -> bytes:
    """Return a page of the list, with each model by its alias and by its own name.

    Raises BadRequest: there is no entry `after_id` or `before_id`.
    """
    listed: list[dict[str, Any]] = []
    for model in models:
        listed += [_entry(model, ALIAS_PREFIX + model.slug), _entry(model, model.slug)]
    start = _index(listed, "after_id", page.after_id) + 1 if page.after_id else 0
    end = _index(listed, "before_id", page.before_id) if page.before_id else len(listed)
    between = listed[start:end]
    entries = between[-page.limit :] if page.before_id else between[: page.limit]
    return msgspec.json.encode(
        {
            "data": entries,
            "has_more": len(entries) < len(between),
            "first_id": entries[0]["id"] if entries else None,
            "last_id": entries[-1]["id"] if entries else None,
        }
    )


def _index(entries: list[dict[str, Any]], field: str, name: str) -> int:
    for index, entry in enumerate(entries):
        if entry["id"] == name:
            return index
    raise BadRequest(f"'{field}' is no model of this list", param=field)


def model_entry(model: Model, name: str) -> bytes:
    """Return one model under the requested name."""
    return msgspec.json.encode(_entry(model, name))


def _entry(model: Model, name: str) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "type": "model",
        "id": name,
        "display_name": model.display_name or model.slug,
        "created_at": CREATED_AT,
    }
    if model.context_window is not None:
        entry["max_input_tokens"] = model.context_window
    return entry
