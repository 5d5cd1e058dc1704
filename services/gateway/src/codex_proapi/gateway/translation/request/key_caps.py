"""Caps of the client's key, applied to a translated request. Pure."""

from typing import Final

import msgspec

from codex_proapi.commons.codex.model_catalogue import EFFORTS, Model
from codex_proapi.gateway.errors import BadRequest
from codex_proapi.gateway.translation.request.parameters import SLOWER_TIERS
from codex_proapi.gateway.translation.request.translated_request import TranslatedRequest

REFUSE: Final = "refuse"
"""The value of a key's `fast_tier` that refuses a request for it; any other leaves the tier out."""


def capped(
    translated: TranslatedRequest, model: Model | None, *, max_effort: str, fast_tier: str
) -> TranslatedRequest:
    """Return the request within the caps of its key; the same object if it is.

    Args:
        translated: the request.
        model: the model to send; None if the catalogue does not have it.
        max_effort: the highest effort, one of EFFORTS; empty for any.
        fast_tier: REFUSE, `ignore`, or empty to allow it.

    Raises:
        BadRequest: the key may not ask for the fast tier.
    """
    if not max_effort and not fast_tier:
        return translated
    request, dropped = translated.request, list(translated.dropped)
    sent = request.service_tier is not None and request.service_tier not in SLOWER_TIERS
    if fast_tier == REFUSE and (sent or translated.asks_faster):
        raise BadRequest(
            "This API key may not ask for a faster service tier",
            code="unsupported_value",
            param="service_tier",
        )
    if fast_tier and sent:
        request = msgspec.structs.replace(request, service_tier=None)
        dropped.append("service_tier")
    effort = _capped_effort(request.reasoning.get("effort"), model, max_effort)
    if effort is not None:
        request = msgspec.structs.replace(
            request, reasoning={**request.reasoning, "effort": effort}
        )
        dropped.append("reasoning.effort")
    if request is translated.request:
        return translated
    names = tuple(dict.fromkeys(dropped))
    return msgspec.structs.replace(translated, request=request, dropped=names)


def _capped_effort(asked: object, model: Model | None, highest: str) -> str | None:
    """The effort to send in place of the one asked for; None where that may stay."""
    if highest not in EFFORTS:
        return None
    # What a request leaves open is the model's own default.
    effort = asked if isinstance(asked, str) else (model.default_effort if model else None)
    most = EFFORTS.index(highest)
    # An effort that only a newer catalogue knows cannot be compared, so it is taken for a high one.
    if effort is None or (effort in EFFORTS and EFFORTS.index(effort) <= most):
        return None
    offered = (model.efforts if model else ()) or EFFORTS
    allowed = [each for each in offered if EFFORTS.index(each) <= most]
    return max(allowed, key=EFFORTS.index) if allowed else min(offered, key=EFFORTS.index)
