"""Which model a name means, and what a live list changes."""

import json
from typing import Any

import pytest

from codex_proapi.commons.codex.errors import ModelListUnreadable, ModelNotFound
from codex_proapi.commons.codex.model_catalogue import EFFORTS, SEED_NAMES, Catalogue, Model

BUILT_IN = Catalogue.built_in()


def _slug(name: str | None, catalogue: Catalogue = BUILT_IN) -> str:
    return catalogue.resolve(name).model.slug


def _live(*models: dict[str, Any]) -> bytes:
    return json.dumps({"models": models}).encode()


def test_the_built_in_models_are_those_of_the_cli() -> None:
    assert BUILT_IN.names == (
        "gpt-6.2-sol",
        "gpt-6.2-astra",
        "gpt-6.1-terra",
        "gpt-6.1-sol",
        "gpt-6-astra",
        "gpt-6-sol",
        "gpt-6-luna",
        "gpt-5.6-sol",
        "gpt-5.6-terra",
        "gpt-5.6-luna",
        "gpt-5.5",
    )
    assert repr(BUILT_IN) == "<Catalogue of 14 models>"


def test_a_model_tells_what_it_can_do() -> None:
    assert BUILT_IN.resolve("gpt-5.5").model == Model(
        slug="gpt-5.5",
        display_name="GPT-5.5",
        priority=13,
        minimal_client_version="0.124.0",
        available_in_plans=BUILT_IN.resolve("gpt-5.5").model.available_in_plans,
        context_window=272_000,
        max_context_window=272_000,
        default_effort="medium",
        efforts=("low", "medium", "high", "xhigh"),
        default_summary="none",
        service_tiers=("priority",),
        supports_search_tool=True,
    )
    assert BUILT_IN.resolve("gpt-6.2-sol").model.use_responses_lite


@pytest.mark.parametrize(
    ("asked", "slug", "effort", "fast"),
    [
        ("gpt-5.5", "gpt-5.5", None, False),
        (" GPT-5.5 ", "gpt-5.5", None, False),
        ("openai/gpt-5.5", "gpt-5.5", None, False),
        ("codex/gpt-5.5-high", "gpt-5.5", "high", False),
        ("chatgpt/gpt-5.5", "gpt-5.5", None, False),
        ("gpt-5.6", "gpt-5.6-sol", None, False),
        ("gpt-5.6-low", "gpt-5.6-sol", "low", False),
        ("gpt-6", "gpt-6-astra", None, False),
        ("openai/gpt-6.1-fast", "gpt-6.1-terra", None, True),
        ("gpt-5.5-low", "gpt-5.5", "low", False),
        ("gpt-5.5:high", "gpt-5.5", "high", False),
        ("gpt-5.5(xhigh)", "gpt-5.5", "xhigh", False),
        ("gpt-5.5-extra-high", "gpt-5.5", "xhigh", False),
        ("gpt-5.5-fast", "gpt-5.5", None, True),
        ("gpt-5.5-high-fast", "gpt-5.5", "high", True),
        ("gpt-5.5-fast-high", "gpt-5.5", "high", True),
        ("gpt-5.5-thinking", "gpt-5.5", None, False),
        ("gpt-daybreak-red-latest", "gpt-daybreak-red-latest", None, False),
        ("codex", "gpt-6.2-sol", None, False),
        ("codex-high", "gpt-6.2-sol", "high", False),
        *((name, "gpt-6.2-sol", None, False) for name in SEED_NAMES),
        (None, "gpt-6.2-sol", None, False),
        ("  ", "gpt-6.2-sol", None, False),
    ],
)
def test_a_name_means_a_model(asked: str | None, slug: str, effort: str | None, fast: bool) -> None:
    found = BUILT_IN.resolve(asked)

    assert (found.model.slug, found.effort, found.fast) == (slug, effort, fast)


def test_an_unknown_name_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(ModelNotFound) as refused:
        BUILT_IN.resolve("gpt-2\n-high-low-fast-high")

    message = str(refused.value)
    assert message.startswith("The model 'gpt-2-high-low-fast-high' does not exist")
    assert "gpt-6.2-sol, gpt-6.2-astra" in message
    assert "daybreak" not in message
    assert "neutral" not in message


@pytest.mark.parametrize("name", ["claude-x", "gemini-3-pro"])
def test_other_makers_names_are_refused_with_advice(name: str) -> None:
    with pytest.raises(ModelNotFound, match="the neutral name 'codex'"):
        BUILT_IN.resolve(name)


class TestAliases:
    def test_an_alias_may_carry_an_effort(self) -> None:
        catalogue = Catalogue.built_in(aliases={"Quick": "openai/gpt-5.5-low-fast"})
        found = catalogue.resolve("quick")

        assert (found.model.slug, found.effort, found.fast) == ("gpt-5.5", "low", True)
        assert catalogue.resolve("quick-high").effort == "high"

    def test_an_owners_alias_wins_over_a_model_and_a_promised_name(self) -> None:
        catalogue = Catalogue.built_in(aliases={"gpt-5.5": "gpt-5.6-sol", "gpt-4": "gpt-5.5"})

        assert (_slug("gpt-5.5", catalogue), _slug("gpt-4", catalogue)) == ("gpt-5.6-sol",) * 2

    def test_an_alias_to_itself_is_its_model(self) -> None:
        assert _slug("gpt-5.5", Catalogue.built_in(aliases={"gpt-5.5": "GPT-5.5"})) == "gpt-5.5"

    def test_aliases_in_a_circle_are_unknown(self) -> None:
        catalogue = Catalogue.built_in(aliases={"a": "b", "b": "a"})

        with pytest.raises(ModelNotFound):
            catalogue.resolve("a")

    def test_a_star_takes_what_begins_so(self) -> None:
        catalogue = Catalogue.built_in(aliases={"claude-*": "gpt-5.5-low"})
        found = catalogue.resolve("claude-opus-high")

        assert (found.model.slug, found.effort) == ("gpt-5.5", "high")
        assert catalogue.resolve("claude-opus").effort == "low"

    def test_a_star_alone_takes_everything_else(self) -> None:
        catalogue = Catalogue.built_in(aliases={"*": "gpt-5.5"})

        assert (_slug("gpt-2", catalogue), _slug("gpt-5.6-sol", catalogue)) == (
            "gpt-5.5",
            "gpt-5.6-sol",
        )

    @pytest.mark.parametrize("aliases", [{"x*": "nothing"}, {"*": "nothing"}])
    def test_a_star_that_leads_nowhere_is_unknown(self, aliases: dict[str, str]) -> None:
        with pytest.raises(ModelNotFound):
            Catalogue.built_in(aliases=aliases).resolve("x1")


class TestTheDefault:
    @pytest.mark.parametrize(
        ("setting", "slug"),
        [
            (None, "gpt-6.2-sol"),
            ("gpt-5.5", "gpt-5.5"),
            ("GPT-5.5-high", "gpt-5.5"),
            ("gpt-5.3-codex", "gpt-6.2-sol"),
            ("gone", "gpt-6.2-sol"),
        ],
    )
    def test_it_is_the_setting_where_there_is_such_a_model(
        self, setting: str | None, slug: str
    ) -> None:
        catalogue = Catalogue.built_in(default_model=setting)

        assert catalogue.default.slug == slug
        assert _slug("gpt-5-codex", catalogue) == slug

    def test_its_effort_counts(self) -> None:
        assert Catalogue.built_in(default_model="gpt-5.5-high").resolve(None).effort == "high"

    def test_without_any_model_there_is_none(self) -> None:
        with pytest.raises(ModelNotFound, match="No model is available"):
            Catalogue([]).resolve(None)

    def test_hidden_models_are_never_the_default(self) -> None:
        hidden = Model(slug="h", visibility="hide", priority=1)

        assert Catalogue([hidden, Model(slug="shown")]).default.slug == "shown"


class TestALiveList:
    def test_it_decides_what_there_is(self) -> None:
        live = BUILT_IN.with_live(_live({"slug": "gpt-5.5"}, {"slug": "gpt-7", "priority": 0}))

        assert live.names == ("gpt-7", "gpt-5.5")
        assert live.default.slug == "gpt-7"
        with pytest.raises(ModelNotFound):
            live.resolve("gpt-6-sol")

    def test_promised_names_are_themselves_where_it_has_them(self) -> None:
        live = BUILT_IN.with_live(
            _live({"slug": "gpt-5.5"}, {"slug": "gpt-5.3-codex", "priority": 99})
        )

        assert (_slug("gpt-5.3-codex", live), _slug("gpt-5", live)) == ("gpt-5.3-codex", "gpt-5.5")

    def test_its_facts_lie_over_the_built_in_ones(self) -> None:
        entry = {
            "slug": "gpt-5.5",
            "supported_reasoning_levels": [
                {"effort": "high"},
                {"effort": "low"},
                {"effort": "new"},
            ],
            "service_tiers": [{"id": "priority", "name": "Fast"}, 7],
            "use_responses_lite": True,
            "priority": True,
            "display_name": 7,
        }
        model = BUILT_IN.with_live(_live(entry)).resolve("gpt-5.5").model

        assert model.efforts == ("low", "high")
        assert model.service_tiers == ("priority",)
        assert model.use_responses_lite
        assert model.context_window == 272_000
        assert (model.priority, model.display_name) == (1000, "")

    def test_settings_survive_it(self) -> None:
        catalogue = Catalogue.built_in(default_model="gpt-7-low", aliases={"mine": "gpt-7"})
        live = catalogue.with_live(_live({"slug": "gpt-7"}, {"slug": "gpt-8", "priority": 1}))

        assert (live.default.slug, _slug("mine", live)) == ("gpt-7", "gpt-7")

    def test_lists_of_several_accounts_are_united(self) -> None:
        live = BUILT_IN.with_live(_live({"slug": "a"}), _live({"slug": "b"}, {"slug": "a"}))

        assert live.names == ("a", "b")

    def test_entries_that_are_none_are_passed_over(self) -> None:
        live = BUILT_IN.with_live(_live({"slug": "a"}, {"slug": ""}, {}).replace(b"{}", b"7"))

        assert live.names == ("a",)

    @pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"models":7}', b'"\xff"'])
    def test_what_is_no_list_is_refused(self, body: bytes) -> None:
        with pytest.raises(ModelListUnreadable):
            BUILT_IN.with_live(body)


@pytest.mark.parametrize(
    ("efforts", "asked", "wire"),
    [
        (("low", "medium", "high", "xhigh"), "medium", "medium"),
        (("low", "medium", "high", "xhigh"), "none", "low"),
        (("low", "medium", "high", "xhigh"), "minimal", "low"),
        (("low", "medium", "high", "xhigh"), "ultra", "xhigh"),
        (("low", "high", "max", "ultra"), "ultra", "max"),
        (("low", "high"), "medium", "low"),
        (("ultra",), "low", "max"),
        ((), "minimal", "minimal"),
        ((), "ultra", "max"),
    ],
)
def test_an_effort_becomes_the_nearest_one_the_model_takes(
    efforts: tuple[str, ...], asked: str, wire: str
) -> None:
    assert Model(slug="m", efforts=efforts).clamp(asked) == wire
    assert asked in EFFORTS


@pytest.mark.parametrize(
    ("told", "wire"), [("xhigh", "xhigh"), (None, "max"), ("ultra", "max"), ("hyper", "max")]
)
def test_ultra_is_what_the_catalogue_says(told: str | None, wire: str) -> None:
    row = {
        "slug": "gpt-9",
        "supported_reasoning_levels": [{"effort": "low"}, {"effort": "max"}, {"effort": "ultra"}],
        "multi_agent_reasoning_effort": told,
    }

    [model] = Catalogue([]).with_live(_live(row)).models

    assert model.clamp("ultra") == wire
    assert model.clamp("low") == "low"


@pytest.mark.parametrize(
    ("least", "version", "refused"),
    [
        ("0.166.0", "0.99.0", True),
        ("0.166.0", "0.166.0", False),
        ("0.166.0", "0.171.0-alpha.2", False),
        ("", "0.1.0", False),
        ("soon", "0.1.0", False),
        ("0.166.0", "dev", False),
        ("0.166.0", "9" * 5000, False),
        ("0.166.0", f"0.{'9' * 5000}", False),
    ],
)
def test_versions_older_than_a_models_least_are_refused(
    least: str, version: str, refused: bool
) -> None:
    assert Model(slug="m", minimal_client_version=least).refuses_version(version) is refused


def test_a_remembered_name_means_what_it_meant_in_its_own_catalogue() -> None:
    catalogue = Catalogue.built_in(aliases={"mine": "gpt-5.5", "any-*": "gpt-5.5"})
    first = catalogue.resolve("mine")
    serving = catalogue.serving("gpt-6-sol-low")

    assert catalogue.resolve("mine") == first
    assert serving.resolve("mine").model.slug == "gpt-6-sol"
    assert catalogue.resolve("mine") == first
    assert catalogue.with_live(_live({"slug": "gpt-9"})).resolve("gpt-9").model.slug == "gpt-9"
    with pytest.raises(ModelNotFound):
        catalogue.resolve("gpt-9")


def test_any_number_of_names_resolves() -> None:
    catalogue = Catalogue.built_in(aliases={"any-*": "gpt-5.5"})

    for number in range(2100):
        assert catalogue.resolve(f"any-{number}").model.slug == "gpt-5.5"
    assert catalogue.resolve(f"any-{'x' * 1000}").model.slug == "gpt-5.5"
    assert catalogue.resolve(None) == catalogue.resolve("")


def test_an_unknown_name_is_unknown_each_time() -> None:
    catalogue = Catalogue.built_in()

    for _ in range(2):
        assert catalogue.lookup("claude-opus-5") is None
        with pytest.raises(ModelNotFound, match="claude-opus-5"):
            catalogue.resolve("claude-opus-5")
