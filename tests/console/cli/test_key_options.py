from typing import Any

import pytest
import rich_click as click

from codex_proapi.commons.api_keys.limits import Limits
from codex_proapi.commons.usage.calendar import UTC, Calendar
from codex_proapi.console.cli.key_options import Dollars, End, Span, facts_of

NOTHING: dict[str, Any] = {
    **dict.fromkeys(
        (
            *("owner", "default_model", "default_effort", "reasoning_summary", "weight", "expires"),
            *("group", "max_effort", "fast_tier", "model_fallbacks", "small_work_models"),
        )
    ),
    **dict.fromkeys(("rpm", "tpm", "concurrent", "tokens_day", "tokens_week", "tokens_month")),
    **dict.fromkeys(("usd_day", "usd_week", "usd_month")),
    "models": (),
    "accounts": (),
}
NOW = 1_795_000_000.5


@pytest.mark.parametrize(
    ("said", "seconds"), [("90s", 90), ("5m", 300), ("24h", 86_400), ("7d", 604_800), ("2w", 1_209_600)]
)  # fmt: skip
def test_a_span_is_said_in_one_word(said: str, seconds: int) -> None:
    assert Span().convert(said, None, None) == seconds


@pytest.mark.parametrize(
    ("said", "end"),
    [("never", 0), ("1d", 1_795_086_400), ("2026-12-31", 1_798_761_600)],
)
def test_a_key_ends_after_a_span_with_a_day_or_never(said: str, end: int) -> None:
    assert End().convert(said, None, None)(NOW, UTC) == end


def test_a_day_ends_when_it_does_for_the_team() -> None:
    shanghai = Calendar("Asia/Shanghai")

    assert End().convert("2026-12-31", None, None)(NOW, shanghai) == 1_798_761_600 - 8 * 3600


@pytest.mark.parametrize("said", ["soon", "9999-12-31", "7", "2026-13-01", "-1d", ""])
def test_what_is_no_time_is_refused(said: str) -> None:
    with pytest.raises(click.BadParameter):
        End().convert(said, None, None)


@pytest.mark.parametrize(
    ("said", "micros"),
    [
        ("12.50", 12_500_000),
        ("0", 0),
        ("0.000001", 1),
        ("3", 3_000_000),
        ("999999999", 10**15 - 10**6),
    ],
)
def test_dollars_are_said_with_a_point(said: str, micros: int) -> None:
    assert Dollars().convert(said, None, None) == micros


@pytest.mark.parametrize(
    "said", ["", "-1", "1,50", "1e3", "0.0000001", "$5", "nan", "9" * 10, "１"]
)
def test_what_is_no_amount_is_refused(said: str) -> None:
    with pytest.raises(click.BadParameter):
        Dollars().convert(said, None, None)


def test_dollars_are_kept_in_millionths_beside_the_other_limits() -> None:
    facts = facts_of(NOTHING | {"usd_day": 1_500_000}, now=NOW, limits=Limits(rpm=5), calendar=UTC)

    assert facts == {"limits": Limits(rpm=5, micro_usd_day=1_500_000)}


def test_only_what_is_named_is_changed() -> None:
    before = Limits(rpm=5, tpm=7)
    assert facts_of(NOTHING, now=NOW, limits=before, calendar=UTC) == {}

    provided = NOTHING | {"owner": "", "rpm": 0, "models": ("a", "b"), "accounts": ("all",)}

    assert facts_of(provided, now=NOW, limits=before, calendar=UTC) == {
        "owner": "",
        "limits": Limits(tpm=7),
        "allowed_models": ("a", "b"),
        "allowed_accounts": (),
    }


def test_a_key_cannot_end_in_the_past() -> None:
    with pytest.raises(click.BadParameter):
        facts_of(
            NOTHING | {"expires": lambda now, _: int(now)}, now=NOW, limits=Limits(), calendar=UTC
        )


@pytest.mark.parametrize(
    ("provided", "option"),
    [
        ({"weight": float("nan")}, "--weight"),
        ({"owner": "x" * 101}, "--owner"),
        ({"default_model": "x" * 129}, "--default-model"),
        ({"default_effort": "x" * 200}, "--default-effort"),
        ({"rpm": 10**23}, "--rpm"),
        ({"models": ("x" * 129,)}, "--model"),
        ({"expires": lambda now, _: int(now) * 1000}, "--expires"),
    ],
)
def test_what_the_api_refuses_is_refused_by_the_name_of_its_option(
    provided: dict[str, Any], option: str
) -> None:
    with pytest.raises(click.BadParameter) as refused:
        facts_of(NOTHING | provided, now=NOW, limits=Limits(), calendar=UTC)

    assert refused.value.param_hint == option
