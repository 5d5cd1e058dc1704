"""GET /models: the models a key may use, in OpenAI's, Anthropic's and (for Codex) the backend's format."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from codex_proapi.commons.codex.errors import ModelNotFound
from codex_proapi.commons.codex.model_catalogue import NEUTRAL_NAME, Catalogue, Model
from codex_proapi.gateway.errors import UnknownModel
from codex_proapi.gateway.formats.anthropic.models import Page, model_entry, model_list
from codex_proapi.gateway.translation.messages.request.model_families import resolve_model

CREATED: Final = 1_735_689_600
"""The backend tells no date of a model; clients want one, and it must not change."""
MAX_OUTPUT_TOKENS: Final = 128_000
"""Not in the backend's list either; the public documentation's figure for every listed model."""


def listing(
    catalogue: Catalogue,
    *,
    allowed: Sequence[str] = (),
    rows: Sequence[Mapping[str, Any]] | None = None,
) -> bytes:
    """Every model a key may ask for, best first; `rows`, those of the key, go beside them for Codex."""
    models = [m for m in catalogue.models if m.listed and _is_allowed(m.slug, allowed)]
    listed = [_entry(model, model.slug) for model in models]
    if models and not allowed:
        # Names decide how some clients behave; this one says nothing of its maker.
        listed.append(_entry(catalogue.default, NEUTRAL_NAME))
    body: dict[str, Any] = {"object": "list", "data": listed}
    if rows is not None:
        body["models"] = rows
    return msgspec.json.encode(body)


def anthropic_listing(catalogue: Catalogue, page: Page, *, allowed: Sequence[str] = ()) -> bytes:
    """A page of the same for clients of Anthropic's API. Raises BadRequest."""
    listed = (m for m in catalogue.models if m.listed and _is_allowed(m.slug, allowed))
    return model_list(listed, page)


def anthropic_one(catalogue: Catalogue, name: str, *, allowed: Sequence[str] = ()) -> bytes:
    """One model for them, by any name they may ask with. Raises UnknownModel."""
    model = resolve_model(name, catalogue, default=None).model
    if not _is_allowed(model.slug, allowed):
        raise UnknownModel(f"This API key may not use '{model.slug}'.")
    return model_entry(model, name)


def one(catalogue: Catalogue, name: str, *, allowed: Sequence[str] = ()) -> bytes:
    """One model by any name it answers to. Raises UnknownModel."""
    try:
        model = catalogue.resolve(name).model
    except ModelNotFound as missing:
        raise UnknownModel(str(missing)) from None
    if not _is_allowed(model.slug, allowed):
        raise UnknownModel(f"This API key may not use '{model.slug}'.")
    return msgspec.json.encode(_entry(model, name))


def _is_allowed(slug: str, allowed: Sequence[str]) -> bool:
    return not allowed or slug.lower() in map(str.lower, allowed)


def _entry(model: Model, name: str) -> dict[str, Any]:
    window = model.context_window
    return {
        "id": name,
        "object": "model",
        "created": CREATED,
        "owned_by": "openai",
        "display_name": model.display_name or model.slug,
        "context_window": window,
        "context_length": window,
        "max_model_len": window,
        "max_output_tokens": MAX_OUTPUT_TOKENS,
        "input_modalities": model.input_modalities,
        "output_modalities": ("text",),
        "supports_reasoning": bool(model.efforts),
        "supported_reasoning_efforts": model.efforts,
        "supports_tools": True,
    }
