"""Names of models: what the pages, the API and the command line refuse."""

from typing import Any

import pytest

from codex_proapi.commons.cluster.live_settings import LiveSettings
from codex_proapi.commons.cluster.replicas import Replica
from codex_proapi.console.accounts.model_names import ModelNames, NamesInForce, names_in_force
from codex_proapi.console.accounts.models_seen import SeenModel


def _seen(*ids: str) -> list[SeenModel]:
    facts: dict[str, Any] = {"efforts": (), "default_effort": "", "accounts": ("acc_1",)}
    return [
        SeenModel(id=each, name="", context=0, priority=n, **facts) for n, each in enumerate(ids)
    ]


NAMES = ModelNames(_seen("gpt-6-sol", "gpt-5.5"), aliases={"house": "gpt-5.5", "loop": "loop2"})


@pytest.mark.parametrize(
    ("allowed", "default", "expected"),
    [
        ((), "", ("", [])),
        (("gpt-6-sol", "GPT-5.5"), "gpt-5.5", ("", [])),
        (("gpt-6-sol", "nope", "never"), "nope", ("allowed_models", ["nope", "never"])),
        # The gateway compares a restriction with the model's own name, never with an alias.
        (("house",), "", ("allowed_models", ["house"])),
        (("gpt-6",), "", ("allowed_models", ["gpt-6"])),
        ((), "house", ("", [])),
        ((), "gpt-6", ("", [])),
        ((), "codex/gpt-5.5-high", ("", [])),
        ((), "gpt-5", ("", [])),
        ((), "loop", ("default_model", ["loop"])),
        ((), "gpt-60", ("default_model", ["gpt-60"])),
    ],
)
def test_what_a_key_may_name(
    allowed: tuple[str, ...], default: str, expected: tuple[str, list[str]]
) -> None:
    assert NAMES.unknown_of_key(allowed, default) == expected


def test_what_a_key_had_before_stays() -> None:
    kept = ("gone", "lost")

    assert NAMES.unknown_of_key(("gone",), "lost", kept=kept) == ("", [])
    assert NAMES.unknown_of_key(("gone", "new"), "lost", kept=kept) == ("allowed_models", ["new"])


@pytest.mark.parametrize(
    ("default", "aliases", "expected"),
    [
        (None, None, ("", [])),
        ("gpt-6-sol", {"a": "house", "b*": "gpt-5.5"}, ("", [])),
        ("nope", None, ("default_model", ["nope"])),
        (None, {"a": "gpt-5.5", "gpt-4o": "nope"}, ("model_aliases.gpt-4o", ["nope"])),
        (None, {"old": "gone"}, ("", [])),
    ],
)
def test_what_settings_may_name(
    default: str | None, aliases: dict[str, str] | None, expected: tuple[str, list[str]]
) -> None:
    assert NAMES.unknown_of_settings(default, aliases, kept=("gone",)) == expected


def test_before_the_first_list_of_models_every_name_passes() -> None:
    names = ModelNames([])

    assert names.unknown_of_key(("anything",), "whatever") == ("", [])
    assert names.unknown_of_settings("anything", {"a": "b"}) == ("", [])


def test_the_refusal_names_the_unknown_and_a_bounded_number_of_those_there_are() -> None:
    many = ModelNames(_seen(*(f"gpt-{n}" for n in range(30))))

    assert NAMES.told(["nope"]) == "No account offers nope. Offered are gpt-6-sol, gpt-5.5."
    assert many.told(["nope"]).endswith("gpt-19 and 10 more.")


def _gateway(aliases: dict[str, str] | None, default: str = "") -> Replica:
    return Replica(id="g", service="gateway", model_aliases=aliases, default_model=default)


CONSOLE = Replica(id="c", service="console")


@pytest.mark.parametrize(
    ("live", "replicas", "expected"),
    [
        (LiveSettings(), [CONSOLE], NamesInForce()),
        (
            LiveSettings(),
            [CONSOLE, _gateway({"house": "gpt-5.5"}, "house")],
            NamesInForce(aliases={"house": "gpt-5.5"}, default_model="house"),
        ),
        (
            LiveSettings(),
            [_gateway({"a": "gpt-5.5"}, "a"), _gateway({"b": "gpt-6-sol"}, "b")],
            NamesInForce(aliases={"a": "gpt-5.5", "b": "gpt-6-sol"}),
        ),
        # The heartbeat of an older release does not tell.
        (LiveSettings(), [_gateway(None), _gateway({})], NamesInForce(complete=False)),
        (
            LiveSettings(model_aliases={}, default_model="gpt-5.5"),
            [_gateway(None), _gateway({"a": "gpt-5.5"}, "a")],
            NamesInForce(default_model="gpt-5.5"),
        ),
    ],
)
def test_live_settings_come_before_the_environment_of_the_gateways(
    live: LiveSettings, replicas: list[Replica], expected: NamesInForce
) -> None:
    assert names_in_force(live, replicas) == expected


def test_a_name_that_may_be_an_alias_nobody_told_passes_as_default_only() -> None:
    names = ModelNames(_seen("gpt-5.5"), complete=False)

    assert names.unknown_of_key((), "house") == ("", [])
    assert names.unknown_of_key(("house",), "") == ("allowed_models", ["house"])
