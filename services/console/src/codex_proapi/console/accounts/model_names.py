"""Which names of models the gateway would know: one rule for pages, API and command line. Pure.

Until an account has reported its models nobody can say, and every name passes. What the gateways'
environment says (`DEFAULT_MODEL`, `MODEL_ALIASES`) is in their heartbeats.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from codex_proapi.commons.cluster.live_settings import LiveSettings
from codex_proapi.commons.cluster.replicas import Replica
from codex_proapi.commons.codex.errors import ModelNotFound
from codex_proapi.commons.codex.model_catalogue import Catalogue, Model
from codex_proapi.console.accounts.models_seen import SeenModel


class NamesInForce(msgspec.Struct, frozen=True, kw_only=True):
    """What stands for models on the gateways: live settings first, then their environment."""

    default_model: str = ""
    """Empty where none is set, or the gateways differ."""
    aliases: dict[str, str] = {}
    """Those of all gateways together, where their environments differ."""
    complete: bool = True
    """Whether these are all aliases: not while a gateway runs whose heartbeat does not tell."""


def names_in_force(live: LiveSettings, replicas: Iterable[Replica]) -> NamesInForce:
    """The names that are in force.

    Args:
        live: The live settings; what is set there overrules every environment.
        replicas: The live replicas of both services.
    """
    gateways = [replica for replica in replicas if replica.service == "gateway"]
    told = [gateway.model_aliases for gateway in gateways]
    defaults = {gateway.default_model for gateway in gateways}
    found = live.model_aliases
    united = {name: target for each in told for name, target in (each or {}).items()}
    return NamesInForce(
        default_model=live.default_model or (defaults.pop() if len(defaults) == 1 else ""),
        aliases=united if found is None else found,
        complete=found is not None or None not in told,
    )


class ModelNames:
    """The models that accounts have, and the names that stand for them."""

    def __init__(
        self,
        seen: Sequence[SeenModel],
        *,
        aliases: Mapping[str, str] | None = None,
        complete: bool = True,
    ) -> None:
        """Prepare the lookup.

        Args:
            seen: The models of all accounts, hidden ones too.
            aliases: Names in force, with the names they stand for.
            complete: Whether these are all; if not, a name that leads nowhere here may be an alias.
        """
        self.offered = tuple(model.id for model in seen)
        """Their own names, best first."""
        self._slugs = {name.lower() for name in self.offered}
        models = [Model(slug=model.id, priority=model.priority) for model in seen]
        self._complete = complete
        self._catalogue = Catalogue(models, aliases=aliases)

    def __repr__(self) -> str:
        return f"<ModelNames of {len(self.offered)} models>"

    def unlisted(self, names: Iterable[str]) -> list[str]:
        """Names that no model itself has: a key restricted to them may ask for nothing."""
        return [name for name in names if self._slugs and name.lower() not in self._slugs]

    def unresolved(self, names: Iterable[str]) -> list[str]:
        """Names that lead to no model: neither a model's own, nor an alias, nor a family's."""
        if not self._slugs or not self._complete:
            return []
        return [name for name in names if name and not self._resolves(name)]

    def unknown_of_key(
        self, allowed: Sequence[str], default: str, *, kept: Sequence[str] = ()
    ) -> tuple[str, list[str]]:
        """The first parameter of a key that names unknown models, and these; empty if all are known.

        Args:
            allowed: `allowed_models`.
            default: `default_model`.
            kept: Names the key had before. They stay, also where their model has gone since.
        """
        if unknown := self.unlisted(name for name in allowed if name not in kept):
            return "allowed_models", unknown
        if unknown := self.unresolved(name for name in (default,) if name not in kept):
            return "default_model", unknown
        return "", []

    def unknown_of_settings(
        self, default: str | None, aliases: Mapping[str, str] | None, *, kept: Sequence[str] = ()
    ) -> tuple[str, list[str]]:
        """The same of live settings: `default_model`, or `model_aliases.` and the alias."""
        if unknown := self.unresolved(name for name in (default or "",) if name not in kept):
            return "default_model", unknown
        for alias, target in (aliases or {}).items():
            if target not in kept and (unknown := self.unresolved((target,))):
                return f"model_aliases.{alias}", unknown
        return "", []

    def unknown_of_fallbacks(
        self, fallbacks: Mapping[str, str], *, kept: Mapping[str, str] | None = None
    ) -> tuple[str, list[str]]:
        """The same of fallbacks of models: both sides of a pair must lead to a model."""
        for asked, other in fallbacks.items():
            if (kept or {}).get(asked) == other:
                continue
            if unknown := self.unresolved((asked, other)):
                return f"model_fallbacks.{asked}", unknown
        return "", []

    def unknown_of_small_work(
        self, models: Mapping[str, str], *, kept: Mapping[str, str] | None = None
    ) -> tuple[str, list[str]]:
        """The same of the models by class of small work."""
        for work, model in models.items():
            known = (kept or {}).get(work) == model
            if not known and (unknown := self.unresolved((model,))):
                return f"small_work_models.{work}", unknown
        return "", []

    def told(self, unknown: Sequence[str]) -> str:
        """The sentence that refuses them, with the names there are."""
        return f"No account offers {_listed(unknown)}. Offered are {_listed(self.offered)}."

    def model_of(self, name: str) -> str:
        """The model that a name leads to: its own, an alias, a family's; empty if it leads nowhere."""
        try:
            return self._catalogue.resolve(name).model.slug if name else ""
        except ModelNotFound:
            return ""

    def _resolves(self, name: str) -> bool:
        return bool(self.model_of(name))


MOST_TOLD = 20
"""Most names in one sentence."""


def _listed(names: Sequence[str]) -> str:
    more = len(names) - MOST_TOLD
    return ", ".join(names[:MOST_TOLD]) + (f" and {more} more" if more > 0 else "")
