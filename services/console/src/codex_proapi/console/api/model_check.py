"""Refuses names of models that no account offers, in keys and in live settings."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from msgspec.structs import replace
from redis.asyncio import Redis

from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.commons.api_keys.model_fallbacks import pairs_of
from codex_proapi.commons.api_keys.small_work import WorkClass, unknown_classes
from codex_proapi.commons.api_keys.store import ApiKey
from codex_proapi.commons.cluster.live_settings import LiveSettings, LiveSettingsStore
from codex_proapi.commons.cluster.replicas import ReplicaStore
from codex_proapi.console.accounts.model_names import ModelNames, names_in_force
from codex_proapi.console.accounts.models_seen import offered_by
from codex_proapi.console.errors import BadRequest, Code

Pairs: TypeAlias = Mapping[str, str] | str | None
"""Pairs of a setting, or as a key has them."""


class ModelCheck:
    """Names that stood there before may stay: a model that has gone since blocks no other change."""

    def __init__(
        self,
        redis: Redis,
        *,
        accounts: AccountStore,
        live_settings: LiveSettingsStore,
        replicas: ReplicaStore,
    ) -> None:
        self._redis, self._accounts = redis, accounts
        self._live_settings, self._replicas = live_settings, replicas

    def __repr__(self) -> str:
        return "<ModelCheck>"

    async def of_key(
        self, allowed: Sequence[str], default: str, *, before: ApiKey | None = None
    ) -> None:
        """Raise BadRequest if a key's `allowed_models` or `default_model` names an unknown model."""
        if not allowed and not default:
            return
        names = await self._names(await self._live_settings.read())
        kept = (*before.allowed_models, before.default_model) if before else ()
        _refuse(names, *names.unknown_of_key(allowed, default, kept=kept))

    async def of_settings(
        self, default: str | None, aliases: Mapping[str, str] | None, *, before: LiveSettings
    ) -> None:
        """Raise BadRequest if `default_model` or an alias leads to no model.

        Args:
            default: The new default model; None where none is set.
            aliases: The new aliases; None keeps those there are.
            before: What is set now.
        """
        if not default and not aliases:
            return
        asked = before if aliases is None else replace(before, model_aliases=dict(aliases))
        names = await self._names(asked)
        kept = (before.default_model or "", *(before.model_aliases or {}).values())
        _refuse(names, *names.unknown_of_settings(default, aliases, kept=kept))

    async def of_fallbacks(self, fallbacks: Pairs, *, before: Pairs = None) -> None:
        """Raise BadRequest if a fallback, of the settings or as a key has it, names an unknown model.

        Args:
            fallbacks: The new fallbacks.
            before: Those there are; a pair of them may stay.
        """
        pairs = _pairs(fallbacks)
        if pairs:
            names = await self._names(await self._live_settings.read())
            _refuse(names, *names.unknown_of_fallbacks(pairs, kept=_pairs(before)))

    async def of_small_work(self, models: Pairs, *, before: Pairs = None) -> None:
        """Raise BadRequest if models of small work name an unknown model, or an unknown class.

        Arguments as for `of_fallbacks`.
        """
        pairs = _pairs(models)
        if not pairs:
            return
        for work in unknown_classes(pairs):
            told = f"{work} is no class of small work; there are {', '.join(WorkClass)}."
            raise BadRequest(Code.INVALID_VALUE, told, param=f"small_work_models.{work}")
        names = await self._names(await self._live_settings.read())
        _refuse(names, *names.unknown_of_small_work(pairs, kept=_pairs(before)))

    async def _names(self, live: LiveSettings) -> ModelNames:
        known = names_in_force(live, await self._replicas.all())
        seen = await offered_by(self._redis, self._accounts)
        return ModelNames(seen, aliases=known.aliases, complete=known.complete)


class CheckedSettings:
    """The live settings, whose models are checked before they are changed."""

    def __init__(self, live_settings: LiveSettingsStore, model_check: ModelCheck) -> None:
        self._live_settings, self._model_check = live_settings, model_check

    def __repr__(self) -> str:
        return "<CheckedSettings>"

    async def read(self) -> LiveSettings:
        """The values that are set."""
        return await self._live_settings.read()

    async def change(self, changes: dict[str, Any], *, before: LiveSettings) -> LiveSettings:
        """Set some values, as LiveSettingsStore does; BadRequest for an unknown model."""
        default, aliases = changes.get("default_model"), changes.get("model_aliases")
        await self._model_check.of_settings(default, aliases, before=before)
        check = self._model_check
        await check.of_fallbacks(changes.get("model_fallbacks"), before=before.model_fallbacks)
        await check.of_small_work(changes.get("small_work_models"), before=before.small_work_models)
        return await self._live_settings.change(changes)


def _pairs(provided: Pairs) -> Mapping[str, str]:
    return (pairs_of(provided) if isinstance(provided, str) else provided) or {}


def _refuse(names: ModelNames, param: str, unknown: Sequence[str]) -> None:
    if unknown:
        raise BadRequest(Code.MODEL_NOT_FOUND, names.told(unknown), param=param)
