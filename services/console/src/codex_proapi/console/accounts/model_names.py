"""Which names of models the gateway would know: one rule for pages, API and command line. Pure.

Until an account has reported its models nobody can say, and every name passes. What the gateways'
environment says (`MODEL_ALIASES`) is not known here.
"""

from collections.abc import Iterable, Mapping, Sequence

from codex_proapi.commons.codex.errors import ModelNotFound
from codex_proapi.commons.codex.model_catalogue import Catalogue, Model
from codex_proapi.console.accounts.models_seen import SeenModel


class ModelNames:
    """The models that accounts have, and the names that stand for them."""

    def __init__(
        self, seen: Sequence[SeenModel], *, aliases: Mapping[str, str] | None = None
    ) -> None:
        """Prepare the lookup.

        Args:
            seen: The models of all accounts, hidden ones too.
            aliases: Names of the live settings, with the names they stand for.
        """
        self.offered = tuple(model.id for model in seen)
        """Their own names, best first."""
        self._slugs = {name.lower() for name in self.offered}
        models = [Model(slug=model.id, priority=model.priority) for model in seen]
        self._catalogue = Catalogue(models, aliases=aliases)

    def __repr__(self) -> str:
        return f"<ModelNames of {len(self.offered)} models>"

    def unlisted(self, names: Iterable[str]) -> list[str]:
        """Names that no model itself has: a key restricted to them may ask for nothing."""
        return [name for name in names if self._slugs and name.lower() not in self._slugs]

    def unresolved(self, names: Iterable[str]) -> list[str]:
        """Names that lead to no model: neither a model's own, nor an alias, nor a family's."""
        return [name for name in names if self._slugs and name and not self._resolves(name)]

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

    def told(self, unknown: Sequence[str]) -> str:
        """The sentence that refuses them, with the names there are."""
        return f"No account offers {_listed(unknown)}. Offered are {_listed(self.offered)}."

    def _resolves(self, name: str) -> bool:
        try:
            self._catalogue.resolve(name)
        except ModelNotFound:
            return False
        return True


MOST_TOLD = 20
"""Most names in one sentence."""


def _listed(names: Sequence[str]) -> str:
    more = len(names) - MOST_TOLD
    return ", ".join(names[:MOST_TOLD]) + (f" and {more} more" if more > 0 else "")
