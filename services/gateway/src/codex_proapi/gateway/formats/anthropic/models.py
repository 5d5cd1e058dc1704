"""The list of models in the format of Anthropic's `GET /v1/models`.

Claude Code's gateway discovery (2.1.332) reads `id`, `display_name` and `description`, and shows
only ids that contain `claude` or `anthropic`: so every model is listed by an alias that does, too.
"""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from codex_proapi.commons.codex.model_catalogue import Model

CREATED_AT: Final = "2025-01-01T00:00:00Z"
"""Constant creation date of all models: clients require one, and the backend has none."""
ALIAS_PREFIX: Final = "claude-"
"""Prefix of the alias of a model in Claude Code's list."""


def model_list(models: Iterable[Model]) -> bytes:
    """Return the list, with each model by its alias and by its own name."""
    entries: list[dict[str, Any]] = []
    for model in models:
        entries += [_entry(model, ALIAS_PREFIX + model.slug), _entry(model, model.slug)]
    return msgspec.json.encode(
        {
            "data": entries,
            "has_more": False,
            "first_id": entries[0]["id"] if entries else None,
            "last_id": entries[-1]["id"] if entries else None,
        }
    )


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
