"""Rows of the backend's model list for Codex clients: those of one key, with the operator's aliases.

A row is passed on as upstream wrote it, with its instructions: the CLI (0.171.0) reads no list in
which a row has neither `model_messages` nor `base_instructions`. These are most of a list, so what
is kept for each account is the list without them, and each whole row once, by its digest.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from codex_proapi.commons.codex.errors import ModelListUnreadable, ModelNotFound
from codex_proapi.commons.codex.model_catalogue import FAST_TIER, NEUTRAL_NAME, Catalogue, Resolved

LARGE_TEXT: Final = 1000
"""Characters from which a text in a row is left out of the list that is kept for an account."""
WHOLE_ROW: Final = "whole_row"
"""Field of a row with something left out: the digest of the whole row."""
_DIGEST_LENGTH: Final = 16

Row = dict[str, Any]


class ModelRow(msgspec.Struct, frozen=True):
    """One row for a client."""

    source: Row
    """Upstream's row, perhaps without its large texts."""
    changes: Row = {}
    """Fields that are replaced: those of an alias."""

    @property
    def digest(self) -> str:
        """Digest of the whole row; empty if `source` is whole."""
        return str(self.source.get(WHOLE_ROW, ""))

    def written(self, whole: Row | None) -> Row | None:
        """The row as sent; `whole` is the row of the digest. None if it is needed and missing."""
        if self.digest and whole is None:
            return None
        return {**(whole if whole is not None else self.source), **self.changes}


def reduced(body: bytes) -> tuple[bytes, dict[str, bytes]]:
    """A list without its large texts, and the whole rows of it by digest.

    Raises ModelListUnreadable if the list cannot be read.
    """
    whole: dict[str, bytes] = {}
    try:
        listed = msgspec.json.decode(body)
        rows = [_reduced_row(row, whole) for row in listed["models"] if isinstance(row, Mapping)]
    except (msgspec.MsgspecError, UnicodeDecodeError, LookupError, TypeError) as error:
        raise ModelListUnreadable("The backend's model list cannot be read") from error
    return msgspec.json.encode({"models": rows}), whole


def rows_for(
    catalogue: Catalogue, described: Mapping[str, Row], allowed: Sequence[str] = ()
) -> list[ModelRow]:
    """The rows that a key may use: models in the catalogue's order, then aliases.

    Args:
        catalogue: the models in force.
        described: upstream's rows by slug; a model without one is left out.
        allowed: slugs that the key may use; empty for all.
    """
    names = {slug.lower() for slug in allowed}
    mine = {
        model.slug: described[model.slug]
        for model in catalogue.models
        if model.slug in described and (not names or model.slug.lower() in names)
    }
    rows = [ModelRow(row) for row in mine.values()]
    for alias in dict.fromkeys((*catalogue.aliases, NEUTRAL_NAME)):
        try:
            found = catalogue.resolve(alias)
        except ModelNotFound:
            continue
        if found.model.slug in mine and alias not in mine:
            rows.append(ModelRow(mine[found.model.slug], _of_alias(alias, found)))
    return rows


def etag_of(rows: Iterable[ModelRow]) -> str:
    """The entity tag of a list, with its quotes."""
    told = msgspec.json.encode([(row.source, row.changes) for row in rows], order="sorted")
    return f'"{hashlib.sha256(told).hexdigest()[:_DIGEST_LENGTH]}"'


def _of_alias(alias: str, found: Resolved) -> Row:
    """The fields in which an alias differs from its model; its suffixes become defaults."""
    changes: Row = {"slug": alias, "display_name": alias}
    if found.effort:
        changes["default_reasoning_level"] = found.model.clamp(found.effort)
    if found.fast and FAST_TIER in found.model.service_tiers:
        changes["default_service_tier"] = FAST_TIER
    return changes


def _reduced_row(row: Mapping[str, Any], whole: dict[str, bytes]) -> Row:
    """A row without large texts; the whole one is added to `whole` if it has any."""
    small = {
        name: value
        for name, value in row.items()
        if name not in {"model_messages", WHOLE_ROW}
        and not (isinstance(value, str) and len(value) > LARGE_TEXT)
    }
    if len(small) == len(row):
        return small
    text = msgspec.json.encode({name: row[name] for name in row if name != WHOLE_ROW})
    digest = hashlib.sha256(text).hexdigest()[:_DIGEST_LENGTH]
    whole[digest] = text
    return {**small, WHOLE_ROW: digest}
