"""Which rows of the backend's list a Codex client gets."""

from typing import Any

import msgspec
import pytest

from codex_proapi.commons.codex.errors import ModelListUnreadable
from codex_proapi.commons.codex.model_catalogue import Catalogue
from codex_proapi.gateway.formats.codex.model_rows import WHOLE_ROW, etag_of, reduced, rows_for

LEVELS = [{"effort": "low"}, {"effort": "high"}]
ROWS: dict[str, dict[str, Any]] = {
    "gpt-9": {
        "slug": "gpt-9", "priority": 1, "shell_type": "x", "service_tiers": [{"id": "priority"}],
        "supported_reasoning_levels": LEVELS,
    },
    "gpt-8": {"slug": "gpt-8", "priority": 2, "supported_reasoning_levels": LEVELS},
    "review": {"slug": "review", "priority": 3, "visibility": "hide"},
}  # fmt: skip


def catalogue(**aliases: str) -> Catalogue:
    body = msgspec.json.encode({"models": list(ROWS.values())})
    return Catalogue([], aliases=aliases).with_live(body)


def written(*allowed: str, **aliases: str) -> dict[str, Any]:
    rows = [row.written(None) for row in rows_for(catalogue(**aliases), ROWS, allowed)]
    return {row["slug"]: row for row in rows if row}


def test_rows_pass_as_upstream_wrote_them_also_of_hidden_models() -> None:
    found = written()

    assert list(found) == ["gpt-9", "gpt-8", "review", "codex"]
    assert found["gpt-9"] == ROWS["gpt-9"]
    assert found["codex"] == {**ROWS["gpt-9"], "slug": "codex", "display_name": "codex"}


def test_a_key_gets_the_rows_of_what_it_may_use_and_of_their_aliases() -> None:
    found = written("GPT-8", quick="gpt-8-low", best="gpt-9")

    assert list(found) == ["gpt-8", "quick"]
    assert found["quick"]["default_reasoning_level"] == "low"


def test_an_aliases_suffixes_become_defaults() -> None:
    found = written(Quick="gpt-9-high-fast", gone="gpt-1", **{"claude-*": "gpt-8"})

    assert found["quick"]["default_reasoning_level"] == "high"
    assert found["quick"]["default_service_tier"] == "priority"
    assert not {"gone", "claude-*", "claude-"} & set(found)


def test_a_model_that_nobody_describes_has_no_row() -> None:
    assert rows_for(Catalogue.built_in(), {}) == []


def test_the_tag_differs_by_what_is_in_the_list() -> None:
    tags = {
        etag_of(rows_for(catalogue(**aliases), ROWS, allowed))
        for aliases, allowed in (
            ({}, ()),
            ({"a": "gpt-8"}, ()),
            ({"a": "gpt-9"}, ()),
            ({}, ("gpt-8",)),
        )
    }

    assert len(tags) == 4
    assert etag_of(rows_for(catalogue(), ROWS)) in tags
    assert all(tag[0] == tag[-1] == '"' for tag in tags)


def test_long_texts_are_kept_apart_and_come_back() -> None:
    row = {**ROWS["gpt-9"], "model_messages": {"a": "b"}, "base_instructions": "x" * 5000}

    body, whole = reduced(msgspec.json.encode({"models": [row, ROWS["gpt-8"], 7]}))
    small, plain = msgspec.json.decode(body)["models"]

    assert plain == ROWS["gpt-8"]
    assert small == {**ROWS["gpt-9"], WHOLE_ROW: next(iter(whole))}
    known = {"gpt-9": small}
    codex, alias = rows_for(catalogue(best="gpt-9"), known)[:2]
    assert codex.written(None) is None
    assert codex.written(msgspec.json.decode(whole[codex.digest])) == row
    assert alias.written(row) == {**row, "slug": "best", "display_name": "best"}


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"models":7}', b"\xff"])
def test_what_is_no_list_is_refused(body: bytes) -> None:
    with pytest.raises(ModelListUnreadable):
        reduced(body)
