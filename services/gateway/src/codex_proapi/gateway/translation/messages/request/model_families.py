"""Resolves the model names of Anthropic's clients.

The catalogue and the owner's aliases (`MODEL_ALIASES`, where `claude-opus-*=…` sets a family) come
first. Then `claude-` before a model's own name, by which Claude Code's discovery lists it. Then
the families: the best model for opus and fable, the default for sonnet, the quickest for haiku.
"""

import contextlib
import re
from typing import Final

from codex_proapi.commons.codex.errors import ModelNotFound
from codex_proapi.commons.codex.model_catalogue import Catalogue, Model, Resolved
from codex_proapi.gateway.errors import UnknownModel
from codex_proapi.gateway.formats.anthropic.models import ALIAS_PREFIX

LONG_CONTEXT: Final = re.compile(r"\[1m\]$", re.IGNORECASE)
"""Suffix that requests a context window of a million tokens; ignored."""
_FAMILY: Final = re.compile(r"(?:^|[-/.])(opus|fable|sonnet|haiku)(?:[-@.:]|$)")
_SUFFIXES: Final = re.compile(r"(?:-(?:none|minimal|low|medium|high|xhigh|max|ultra|fast))*$")
QUICK_WORDS: Final = ("luna", "mini", "nano", "spark")
"""Words in the names of small, quick models."""


def resolve_model(name: str, catalogue: Catalogue, *, default: str | None) -> Resolved:
    """Return the model of a name; `default` is the key's default. Raises UnknownModel."""
    name = LONG_CONTEXT.sub("", name.strip())
    try:
        try:
            return catalogue.resolve(name or default or "")
        except ModelNotFound:
            found = _of_anthropics_name(name.lower(), catalogue, default)
            if found is None:
                raise
            return found
    except ModelNotFound as missing:
        raise UnknownModel(str(missing)) from None


def _of_anthropics_name(name: str, catalogue: Catalogue, default: str | None) -> Resolved | None:
    """The model of a name that is none of ours; None without a default. Raises ModelNotFound."""
    own = name.removeprefix(ALIAS_PREFIX)
    if own != name:
        with contextlib.suppress(ModelNotFound):
            return catalogue.resolve(own)
    family = _FAMILY.search(name)
    if family is not None and not _is_default(family[1], default):
        suffixes = _SUFFIXES.search(name)
        words = suffixes[0] if suffixes else ""
        return catalogue.resolve(_of_family(family[1], catalogue).slug + words)
    return None if default is None else catalogue.resolve(default)


def is_haiku(name: str, catalogue: Catalogue) -> bool:
    """Whether a name means the haiku family, and neither a model nor an alias of the owner's."""
    name = LONG_CONTEXT.sub("", name.strip()).lower()
    family = _FAMILY.search(name)
    if family is None or family[1] != "haiku":
        return False
    for own in (name, name.removeprefix(ALIAS_PREFIX)):
        with contextlib.suppress(ModelNotFound):
            catalogue.resolve(own)
            return False
    return True


def _is_default(family: str, default: str | None) -> bool:
    """Whether the key's default is used for a family."""
    return family == "sonnet" and default is not None


def _of_family(family: str, catalogue: Catalogue) -> Model:
    """Return the model of a family."""
    listed = [model for model in catalogue.models if model.listed]
    if family in ("opus", "fable") and listed:
        return listed[0]
    if family == "haiku":
        for model in listed:
            if any(word in model.slug.lower() for word in QUICK_WORDS):
                return model
    return catalogue.default
