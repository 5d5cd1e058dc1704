"""Facts of accounts beyond their stored records: catalogues of models, and quotas."""

from collections.abc import Mapping
from typing import Final

from codex_proapi.commons.balancing.candidates import Window
from codex_proapi.commons.codex.quota_parser import Quota
from codex_proapi.commons.codex.substitution import RESERVE
from codex_proapi.gateway.quota.tracker import QuotaTracker
from codex_proapi.gateway.upstream.model_catalogues import ModelCatalogues

IMAGE_MODELS: Final = "gpt-image-"
"""How the names of models begin that make images."""


class AccountFacts:
    """Combines catalogues and quotas for the selector (`Facts`) and the dispatcher (`Observer`)."""

    def __init__(self, catalogues: ModelCatalogues, quotas: QuotaTracker) -> None:
        self._catalogues = catalogues
        self._quotas = quotas

    def __repr__(self) -> str:
        return f"<AccountFacts {self._catalogues!r} {self._quotas!r}>"

    def changes(self) -> tuple[int, int]:
        """A number that changes with a catalogue or materially with a quota, and one with any reading."""
        quotas = self._quotas.changes
        return self._catalogues.revision + quotas.material, quotas.all

    def lists(self, account_id: str, model: str) -> bool:
        """Whether an account lists a model; image models and the reserve are in no list."""
        if model == RESERVE:
            return bool(self._quotas.reserve(account_id))
        return model.startswith(IMAGE_MODELS) or self._catalogues.lists(account_id, model)

    def windows(self, account_id: str, model: str) -> tuple[Window, ...]:
        """An account's quota windows that hold for a model."""
        return self._quotas.windows(account_id, model)

    def is_read(self, account_id: str, model: str) -> bool:
        """Whether a recent reading of those windows is known."""
        return self._quotas.is_read(account_id, model)

    def credits(self, account_id: str) -> bool:
        """Whether bought credits go on where an account's windows end."""
        return self._quotas.credits(account_id)

    def observe_headers(self, account_id: str, headers: Mapping[str, str]) -> None:
        """Note quota and catalogue version (`x-models-etag`) from response headers."""
        self._quotas.observe_headers(account_id, headers)
        if etag := headers.get("x-models-etag"):
            self._catalogues.observe_etag(account_id, etag)

    def observe_quota(self, account_id: str, quota: Quota) -> None:
        """Note an account's quota."""
        self._quotas.observe_quota(account_id, quota)
