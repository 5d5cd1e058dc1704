"""The model catalogue: what each model can do, and which model a requested name resolves to.

The backend's list decides which models there are. Built-in facts (those the CLI 0.171.0 carries)
fill its gaps and serve until the first list arrives. Fetching lists, tracking which account lists
what and restricting keys to models are the gateway's work.
"""

import copy
import importlib.resources
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from codex_proapi.commons.codex.errors import ModelListUnreadable, ModelNotFound

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max", "ultra")
"""Every reasoning effort there is, weakest first; nearness is counted in places of this list."""
ULTRA = "ultra"
"""The effort that no model takes by this name: `clamp` gives what it is on the wire."""
SEED_NAMES = ("gpt-5.3-codex", "gpt-5.2-codex", "gpt-5-codex", "gpt-5", "gpt-4")
"""Names that must always be accepted: as themselves where listed, else as the default model."""
NEUTRAL_NAME = "codex"
"""A neutral alias of the default model, as clients change their behaviour by a model's name."""
FAST_TIER = "priority"
"""The service tier that clients call fast."""

_SUFFIX = re.compile(
    r"[-:](none|minimal|low|medium|high|xhigh|extra-high|max|ultra|fast|thinking)$"
    r"|\((none|minimal|low|medium|high|xhigh|max|ultra)\)$"
)
_MAX_SUFFIXES = 3
_PREFIXES = ("openai/", "openai-codex/", "chatgpt/", "codex/")
"""What routers and clients write before a name, as a provider."""
_FAMILY = re.compile(r"gpt-\d+(\.\d+)?")
_FOREIGN = re.compile(r"claude|gemini|anthropic|sonnet|opus|haiku", re.IGNORECASE)
_PRINTABLE_NAME = 128
_REMEMBERED_NAMES = 1024
"""Most names whose models are remembered."""
_ALIAS_DEPTH = 4
_LAST = 1000
_VERSION_DIGITS = 9


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """One model of the catalogue."""

    slug: str
    """The name upstream knows."""
    display_name: str = ""
    priority: int = _LAST
    """The lower, the better."""
    visibility: str = "list"
    """`list`, or `hide`: served if requested by name, but not listed."""
    minimal_client_version: str = ""
    available_in_plans: tuple[str, ...] = ()
    context_window: int | None = None
    """Tokens, without the long-context option."""
    max_context_window: int | None = None
    input_modalities: tuple[str, ...] = ("text", "image")
    default_effort: str | None = msgspec.field(default=None, name="default_reasoning_level")
    efforts: tuple[str, ...] = msgspec.field(default=(), name="supported_reasoning_levels")
    """Levels it takes, weakest first; empty is unknown."""
    default_summary: str | None = msgspec.field(default=None, name="default_reasoning_summary")
    """Reasoning summary to ask for where nobody says; None or `none` asks for none."""
    support_verbosity: bool = True
    supports_parallel_tool_calls: bool = True
    prefer_websockets: bool = False
    """Whether the backend would rather be asked over WebSocket."""
    use_responses_lite: bool = False
    """Whether it wants the lite request shape."""
    service_tiers: tuple[str, ...] = ()
    supports_search_tool: bool = False
    """Whether it takes the tool `tool_search`, by which a client loads further tools."""
    ultra_effort: str = msgspec.field(default="max", name="multi_agent_reasoning_effort")
    """What the effort `ultra` is on the wire, where it does not exist."""

    @property
    def listed(self) -> bool:
        """Whether it is shown to clients."""
        return self.visibility == "list"

    def clamp(self, effort: str) -> str:
        """The effort among those this model accepts that is nearest to the given one of EFFORTS."""
        nearest = effort
        if self.efforts and effort not in self.efforts:
            rank = EFFORTS.index(effort)
            nearest = min(self.efforts, key=lambda level: abs(EFFORTS.index(level) - rank))
        return self.ultra_effort if nearest == ULTRA else nearest

    def refuses_version(self, version: str) -> bool:
        """Whether a client version is older than the least that this model takes; False if unknown."""
        least, own = _version(self.minimal_client_version), _version(version)
        return bool(least and own) and own < least


class Resolved(msgspec.Struct, frozen=True, kw_only=True):
    """The model that a name resolves to, and the options its suffixes ask for."""

    model: Model
    effort: str | None = None
    """Effort of the name's suffix, not yet clamped."""
    fast: bool = False
    """The name ended in `-fast`."""


class Catalogue:
    """An immutable set of models and the names that resolve to them."""

    def __init__(
        self,
        models: Sequence[Model],
        *,
        default_model: str | None = None,
        aliases: Mapping[str, str] | None = None,
    ) -> None:
        self.models = tuple(sorted(models, key=lambda model: (model.priority, model.slug)))
        self.listed = tuple(model for model in self.models if model.listed)
        """Those shown to clients, best first."""
        self._wanted_default = _plain(default_model or "")
        self._aliases = {name.lower(): target for name, target in (aliases or {}).items()}
        self._patterns = tuple(
            (name[:-1], target) for name, target in self._aliases.items() if name.endswith("*")
        )
        self._by_name = {model.slug.lower(): model for model in self.models}
        self._serving: Resolved | None = None
        self._looked_up: dict[str, Resolved | None] = {}

    def __repr__(self) -> str:
        return f"<Catalogue of {len(self.models)} models>"

    @classmethod
    def built_in(
        cls, *, default_model: str | None = None, aliases: Mapping[str, str] | None = None
    ) -> "Catalogue":
        """The models the CLI carries, used until a list of the backend is known.

        Args:
            default_model: Name of the model for requests that name none.
            aliases: Names of the operator, with the names they stand for.
        """
        facts = importlib.resources.files("codex_proapi.commons.codex").joinpath(
            "model_catalogue.json"
        )
        return cls(_decode(facts.read_bytes()), default_model=default_model, aliases=aliases)

    def with_live(self, *lists: bytes) -> "Catalogue":
        """The catalogue of what the backend lists.

        Facts that a list leaves out are taken from this catalogue.

        Args:
            lists: Bodies of the backend's model lists, one for each account; they are united.

        Raises:
            ModelListUnreadable: A body could not be decoded.
        """
        known = {model.slug: msgspec.to_builtins(model) for model in self.models}
        found = {model.slug: model for body in lists for model in _decode(body, known)}
        return Catalogue(
            tuple(found.values()), default_model=self._wanted_default, aliases=self._aliases
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Names shown to clients, best model first."""
        return tuple(model.slug for model in self.listed)

    @property
    def default(self) -> Model:
        """DEFAULT_MODEL where it is set and there is such a model, else the best listed one."""
        return self._default(depth=0).model

    @property
    def aliases(self) -> tuple[str, ...]:
        """The operator's aliases that are whole names, without patterns."""
        return tuple(name for name in self._aliases if not name.endswith("*"))

    def find(self, slug: str) -> Model | None:
        """The model of a slug, without aliases and suffixes; None if there is none."""
        return self._by_name.get(slug.lower())

    def serving(self, name: str) -> "Catalogue":
        """A catalogue whose names all resolve to what `name` does.

        An effort that `name` leaves open is that of the suffix of the name that is asked for; a
        request is fast if either name says so.

        Raises:
            ModelNotFound: No model has this name.
        """
        made = copy.copy(self)
        made._serving = self.resolve(name)  # noqa: SLF001 - its own
        made._looked_up = {}  # noqa: SLF001 - its own
        return made

    def resolve(self, asked: str | None) -> Resolved:
        """Resolve the name of a request; None is the default model.

        Raises:
            ModelNotFound: No model has this name.
        """
        name = asked or ""
        found = self._looked_up.get(name) or self.lookup(name)
        if found is None:
            raise self._unknown(name)
        return found

    def lookup(self, asked: str) -> Resolved | None:
        """What a name resolves to, None for an unknown name; remembered, for the same few are asked for.

        Raises:
            ModelNotFound: There is no model at all.
        """
        known = self._looked_up
        if asked in known:
            return known[asked]
        found = self._of_name(_plain(asked))
        if len(known) >= _REMEMBERED_NAMES:
            self._looked_up = known = {}  # large requests are translated in threads, which use it
        if len(asked) <= _PRINTABLE_NAME:
            known[asked] = found
        return found

    def _of_name(self, name: str) -> Resolved | None:
        found = self._resolve(name, depth=0) if name else self._default(depth=0)
        serving = self._serving
        if found is None or serving is None:
            return found
        return Resolved(
            model=serving.model,
            effort=serving.effort or found.effort,
            fast=serving.fast or found.fast,
        )

    def _resolve(self, name: str, *, depth: int) -> Resolved | None:
        """Try the whole name first, then shorter ones: a model's name may end like a suffix."""
        effort: str | None = None
        fast = False
        for _ in range(_MAX_SUFFIXES + 1):
            if found := self._named(name, depth=depth):
                return Resolved(
                    model=found.model, effort=effort or found.effort, fast=fast or found.fast
                )
            if not (match := _SUFFIX.search(name)):
                break
            name = name[: match.start()]
            word = match[1] or match[2]
            fast = fast or word == "fast"
            if word not in {"fast", "thinking"}:
                effort = effort or ("xhigh" if word == "extra-high" else word)
        return self._patterned(name, depth=depth, effort=effort, fast=fast)

    def _named(self, name: str, *, depth: int) -> Resolved | None:
        """Look up one exact name: aliases, then models, then SEED_NAMES."""
        target = _plain(self._aliases.get(name, ""))
        if target and target != name and depth < _ALIAS_DEPTH:
            return self._resolve(target, depth=depth + 1)
        if model := self._by_name.get(name):
            return Resolved(model=model)
        if name in SEED_NAMES or name == NEUTRAL_NAME:
            return self._default(depth=depth)
        if _FAMILY.fullmatch(name):
            # A family's name (gpt-5.6, gpt-6) means the best of its models.
            for start in (f"{name}-", f"{name}."):
                for model in self.listed:
                    if model.slug.lower().startswith(start):
                        return Resolved(model=model)
        return None

    def _default(self, *, depth: int) -> Resolved:
        """Resolve DEFAULT_MODEL (suffixes and aliases allowed); without it, the best model."""
        if self._wanted_default and depth < _ALIAS_DEPTH:
            found = self._resolve(self._wanted_default, depth=depth + 1)
            if found is not None:
                return found
        if self.listed:
            return Resolved(model=self.listed[0])
        raise ModelNotFound("No model is available")

    def _patterned(
        self, name: str, *, depth: int, effort: str | None, fast: bool
    ) -> Resolved | None:
        """Look the name up among aliases that end in `*`."""
        for start, target in self._patterns:
            if name.startswith(start) and depth < _ALIAS_DEPTH:
                found = self._resolve(_plain(target), depth=depth + 1)
                return found and Resolved(
                    model=found.model, effort=effort or found.effort, fast=fast or found.fast
                )
        return None

    def _unknown(self, asked: str) -> ModelNotFound:
        printable = "".join(letter for letter in asked[:_PRINTABLE_NAME] if letter.isprintable())
        advice = ""
        if _FOREIGN.search(asked):
            advice = (
                " Names of other makers' models make some clients change their wire format:"
                f" choose one of these, or the neutral name '{NEUTRAL_NAME}'."
            )
        return ModelNotFound(
            f"The model '{printable}' does not exist here. Available: {', '.join(self.names)}"
            f" (each also with -low, -medium, -high, -xhigh or -fast).{advice}"
        )


def _decode(body: bytes, known: Mapping[str, dict[str, Any]] | None = None) -> list[Model]:
    """Decode a model list of the backend; entries that are no models are skipped."""
    try:
        listed = msgspec.json.decode(body)["models"]
        entries = [entry for entry in listed if isinstance(entry, dict) and entry.get("slug")]
    except (msgspec.MsgspecError, UnicodeDecodeError, LookupError, TypeError) as error:
        raise ModelListUnreadable("The backend's model list cannot be read") from error
    return [_model({**(known or {}).get(entry["slug"], {}), **entry}) for entry in entries]


def _model(entry: dict[str, Any]) -> Model:
    """Decode one entry of a model list."""
    levels = _words(entry, "supported_reasoning_levels", "effort")
    priority = _number(entry, "priority")
    return Model(
        slug=str(entry["slug"]),
        display_name=_text(entry, "display_name") or "",
        priority=_LAST if priority is None else priority,
        visibility=_text(entry, "visibility") or "list",
        minimal_client_version=_text(entry, "minimal_client_version") or "",
        available_in_plans=_words(entry, "available_in_plans", "id"),
        context_window=_number(entry, "context_window"),
        max_context_window=_number(entry, "max_context_window"),
        input_modalities=_words(entry, "input_modalities", "id") or ("text", "image"),
        default_effort=_text(entry, "default_reasoning_level"),
        efforts=tuple(effort for effort in EFFORTS if effort in levels),
        default_summary=_text(entry, "default_reasoning_summary"),
        support_verbosity=entry.get("support_verbosity") is not False,
        supports_parallel_tool_calls=entry.get("supports_parallel_tool_calls") is not False,
        use_responses_lite=entry.get("use_responses_lite") is True,
        prefer_websockets=entry.get("prefer_websockets") is True,
        service_tiers=_words(entry, "service_tiers", "id"),
        supports_search_tool=entry.get("supports_search_tool") is True,
        ultra_effort=_ultra_effort(entry),
    )


def _ultra_effort(entry: dict[str, Any]) -> str:
    """The wire's effort for `ultra`: the entry's if it is a known one, else `max`."""
    told = _text(entry, "multi_agent_reasoning_effort")
    return told if told in EFFORTS and told != ULTRA else "max"


def _version(text: str) -> tuple[int, ...]:
    """The numbers of a version, without what follows a hyphen; empty if it is none."""
    parts = text.split("-", 1)[0].split(".")
    numbers = all(p.isascii() and p.isdigit() and len(p) <= _VERSION_DIGITS for p in parts)
    return tuple(map(int, parts)) if numbers else ()


def _plain(name: str) -> str:
    """Normalise a model name: lower case, without a provider's prefix."""
    plain = name.strip().lower()
    for prefix in _PREFIXES:
        plain = plain.removeprefix(prefix)
    return plain


def _words(entry: dict[str, Any], field: str, key: str) -> tuple[str, ...]:
    """Decode a list of words, each written bare or as an object with its name under `key`."""
    found = entry.get(field)
    values: Iterable[Any] = found if isinstance(found, list | tuple) else ()
    bare = (value.get(key) if isinstance(value, dict) else value for value in values)
    return tuple(word for word in bare if isinstance(word, str))


def _text(entry: dict[str, Any], field: str) -> str | None:
    value = entry.get(field)
    return value if isinstance(value, str) else None


def _number(entry: dict[str, Any], field: str) -> int | None:
    value = entry.get(field)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
