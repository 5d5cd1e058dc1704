"""Fallbacks of models: which model serves while no account can serve another. Pure."""

from collections.abc import Callable, Mapping
from functools import lru_cache


def fallback_of(
    model: str, own: str, general: Mapping[str, str], *, model_of: Callable[[str], str]
) -> str:
    """The model that may serve in place of another; empty if none may.

    A pair of the model itself goes before one whose name leads to it.

    Args:
        model: the model that no account can serve.
        own: the key's `model_fallbacks`; `none`, which has no pair, wants none.
        general: the setting's.
        model_of: gives the model that a name (an alias, a family) leads to; empty if there is none.
    """
    pairs = pairs_of(own) if own else general
    name = model.lower()
    exact = (other for asked, other in pairs.items() if asked.lower() == name)
    led = (other for asked, other in pairs.items() if model_of(asked).lower() == name)
    found = next(exact, "") or next(led, "")
    return "" if model_of(found).lower() == name else found


@lru_cache(maxsize=256)
def pairs_of(text: str) -> Mapping[str, str]:
    """The pairs of a key's `model_fallbacks` (`model=other`, with commas); what is none is left out."""
    pairs = (each.partition("=") for each in text.split(","))
    return {name.strip(): other.strip() for name, sign, other in pairs if sign and other.strip()}
