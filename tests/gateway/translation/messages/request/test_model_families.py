"""Which model a name of Anthropic's means."""

import pytest

from codex_proapi.commons.codex.model_catalogue import Catalogue, Model
from codex_proapi.gateway.errors import UnknownModel
from codex_proapi.gateway.translation.messages.request.model_families import resolve_model

CATALOGUE = Catalogue.built_in(default_model="gpt-6-sol")


def slug(name: str, default: str | None = None, catalogue: Catalogue = CATALOGUE) -> str:
    return resolve_model(name, catalogue, default=default).model.slug


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gpt-5.5", "gpt-5.5"),
        ("claude-gpt-5.5", "gpt-5.5"),
        ("Claude-GPT-5.5", "gpt-5.5"),
        ("gpt-5.5[1m]", "gpt-5.5"),
        ("claude-opus-5-5[1M]", "gpt-6.2-sol"),
        ("claude-opus-5-5", "gpt-6.2-sol"),
        ("claude-fable-1", "gpt-6.2-sol"),
        ("claude-3-opus-20240229", "gpt-6.2-sol"),
        ("claude-sonnet-4-6", "gpt-6-sol"),
        ("claude-3-5-sonnet-latest", "gpt-6-sol"),
        ("us.anthropic.claude-sonnet-4-5@20250929", "gpt-6-sol"),
        ("claude-haiku-4-5-20251001", "gpt-6-luna"),
        ("haiku", "gpt-6-luna"),
        ("", "gpt-6-sol"),
    ],
)
def test_name(name: str, expected: str) -> None:
    assert slug(name) == expected


def test_suffixes_say_effort_and_speed() -> None:
    found = resolve_model("claude-opus-5-5-high-fast", CATALOGUE, default=None)

    assert (found.model.slug, found.effort, found.fast) == ("gpt-6.2-sol", "high", True)


@pytest.mark.parametrize("name", ["claude-x", "gemini-3", "claude-opusculum"])
def test_unknown_name_is_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(UnknownModel, match=r"gpt-6\.1-sol"):
        slug(name)


def test_owners_aliases_come_first() -> None:
    catalogue = Catalogue.built_in(aliases={"claude-opus-*": "gpt-5.5", "claude-x": "gpt-6-luna"})

    assert slug("claude-opus-5-5", catalogue=catalogue) == "gpt-5.5"
    assert slug("claude-x", catalogue=catalogue) == "gpt-6-luna"


def test_keys_default_is_its_sonnet_and_stands_for_unknown_names() -> None:
    assert slug("claude-sonnet-4-6", "gpt-5.5") == "gpt-5.5"
    assert slug("claude-x", "gpt-5.5") == "gpt-5.5"
    assert slug("", "gpt-5.5") == "gpt-5.5"
    assert slug("claude-opus-5-5", "gpt-5.5") == "gpt-6.2-sol"
    with pytest.raises(UnknownModel):
        slug("claude-x", "no such model")


def test_families_of_other_catalogues() -> None:
    only = Catalogue([Model(slug="a", priority=1)])

    assert {slug(f"claude-{family}-1", catalogue=only) for family in ("opus", "haiku")} == {"a"}
    with pytest.raises(UnknownModel):
        slug("claude-opus-1", catalogue=Catalogue([]))
