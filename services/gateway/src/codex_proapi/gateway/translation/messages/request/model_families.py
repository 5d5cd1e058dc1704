"""Resolves the model names of Anthropic's clients.

The catalogue and the owner's aliases (`MODEL_ALIASES`, where `claude-opus-*=…` sets a family) come
first. Then `claude-` before a model's own name, by which Claude Code's discovery lists it. Then
the families: the best model for opus and fable, the default for sonnet, the quickest for haiku.
"""

import re
from typing import Final

from codex_proapi.commons.codex.errors import ModelNotFound
from codex_proapi.commons.codex.model_catalogue import Catalogue, Model, Resolved
from codex_proapi.gateway.errors import UnknownModel
from codex_proapi.gateway.formats.anthropic.models import ALIAS_PREFIX

HAIKU: Final = "haiku"
LONG_CONTEXT: Final = re.compile(r"\[1m\]$", re.IGNORECASE)
"""Suffix that requests a context window of a million tokens; ignored."""
_FAMILY: Final = re.compile(r"(?:^|[-/.])(opus|fable|sonnet|haiku)(?:[-@.:]|$)")
_SUFFIXES: Final = re.compile(r"(?:-(?:none|minimal|low|medium|high|xhigh|max|ultra|fast))*$")
QUICK_WORDS: Final = ("luna", "mini", "nano", "spark")
"""Words in the names of small, quick models."""


def resolve_model(name: str, catalogue: Catalogue, *, default: str | None) -> Resolved:
    """Return the model of a name; `default` is the key's default. Raises UnknownModel."""
    name = name.strip()
    if name.endswith("]"):
        name = LONG_CONTEXT.sub("", name)
    try:
        found = catalogue.lookup(name or default or "")
        return found or _of_anthropics_name(name, catalogue, default)
    except ModelNotFound as missing:
        raise UnknownModel(str(missing)) from None


def _of_anthropics_name(name: str, catalogue: Catalogue, default: str | None) -> Resolved:
    """The model of a name that is none of ours. Raises ModelNotFound."""
    lower = name.lower()
    own = lower.removeprefix(ALIAS_PREFIX)
    if own != lower and (found := catalogue.lookup(own)):
        return found
    family = _FAMILY.search(lower)
    if family is not None and not _is_default(family[1], default):
        suffixes = _SUFFIXES.search(lower)
        words = suffixes[0] if suffixes else ""
        return catalogue.resolve(_of_family(family[1], catalogue).slug + words)
    return catalogue.resolve(name if default is None else default)


def is_haiku(name: str, catalogue: Catalogue) -> bool:
    """Whether a name means the haiku family, and neither a model nor an alias of the owner's."""
    name = LONG_CONTEXT.sub("", name.strip()).lower()
    family = _FAMILY.search(name)
    if family is None or family[1] != HAIKU:
        return False
    return not (catalogue.lookup(name) or catalogue.lookup(name.removeprefix(ALIAS_PREFIX)))


def _is_default(family: str, default: str | None) -> bool:
    """Whether the key's default is used for a family."""
    return family == "sonnet" and default is not None


def _of_family(family: str, catalogue: Catalogue) -> Model:
    """Return the model of a family."""
    listed = catalogue.listed
    if family in ("opus", "fable") and listed:
        return listed[0]
    if family == HAIKU:
        for model in listed:
            if any(word in model.slug.lower() for word in QUICK_WORDS):
                return model
    return catalogue.default
