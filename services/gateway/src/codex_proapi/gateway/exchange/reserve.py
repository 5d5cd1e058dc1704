"""Serves a request by accounts' reserves, where no account can serve it otherwise. Pure."""

import msgspec

from codex_proapi.commons.codex.luna_reserve import LunaReserve
from codex_proapi.commons.codex.substitution import RESERVE
from codex_proapi.gateway.translation.request.translated_request import TranslatedRequest


def reserve_for(
    model: str, *, mode: LunaReserve, serves: frozenset[str], takes_fallbacks: bool
) -> str:
    """The model whose reserve may serve in place of one; empty if none may.

    Args:
        model: the model that no account can serve.
        mode: the setting.
        serves: the models that reserves of accounts serve.
        takes_fallbacks: whether the client's key admits other models than were asked for.
    """
    if mode is LunaReserve.OFF or not serves:
        return ""
    if model in serves:
        return model
    return min(serves) if mode is LunaReserve.FALLBACK and takes_fallbacks else ""


def on_reserve(translated: TranslatedRequest) -> TranslatedRequest:
    """The request with RESERVE on the wire; its answer names the model that this stands for."""
    request = msgspec.structs.replace(
        translated.request, model=RESERVE, reserve_of=translated.request.model
    )
    return msgspec.structs.replace(translated, request=request)


def as_answered(model: str, translated: TranslatedRequest) -> str:
    """What a client is told of the model that answered: never RESERVE, which is a name of the wire."""
    return translated.request.reserve_of if model == RESERVE else model
