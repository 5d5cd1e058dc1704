"""Fallbacks of models: which model serves while no account can serve another. Pure."""

from collections.abc import Mapping
from functools import lru_cache


def fallback_of(model: str, own: str, general: Mapping[str, str]) -> str:
    """The model that may serve in place of another; empty if none may.

    Args:
        model: the model that no account can serve.
        own: the key's `model_fallbacks`; `none`, which has no pair, wants none.
        general: the setting's.
    """
    pairs = pairs_of(own) if own else general
    name = model.lower()
    return next((other for asked, other in pairs.items() if asked.lower() == name), "")


@lru_cache(maxsize=256)
def pairs_of(text: str) -> Mapping[str, str]:
    """The pairs of a key's `model_fallbacks` (`model=other`, with commas); what is none is left out."""
    pairs = (each.partition("=") for each in text.split(","))
    return {name.strip(): other.strip() for name, sign, other in pairs if sign and other.strip()}
