"""Terms on the command line: hours as one types them, shares, keys, a pause."""

import json
from typing import Any

import pytest
import redis
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from codex_proapi.commons.owner_terms.terms import DAYS, HoursSpan
from codex_proapi.commons.redis import keyspace
from codex_proapi.console.cli.commands import root
from codex_proapi.console.cli.terms.spans import span_of, typed
from codex_proapi.simulator import Simulator

WORKDAYS = ("mon", "tue", "wed", "thu", "fri")


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("mon-fri 09:00-18:00", HoursSpan(days=WORKDAYS, begin="09:00", end="18:00")),
        ("22:00-06:00", HoursSpan(begin="22:00", end="06:00")),
        ("Sat,Sun 00:00-24:00", HoursSpan(days=("sat", "sun"))),
        ("sat-mon 10:00-12:00", HoursSpan(days=("mon", "sat", "sun"), begin="10:00", end="12:00")),
        ("wed 10:00-12:00", HoursSpan(days=("wed",), begin="10:00", end="12:00")),
    ],
)
def test_a_span_is_read_as_it_is_typed(text: str, span: HoursSpan) -> None:
    assert span_of(text) == span


@given(st.lists(st.sampled_from(DAYS), min_size=1, unique=True))
def test_what_is_printed_can_be_typed(days: list[str]) -> None:
    span = HoursSpan(days=tuple(day for day in DAYS if day in days), begin="09:00", end="24:00")

    assert span_of(typed(span)) == span


@pytest.mark.parametrize(
    "text", ["", "always", "9-18", "mon 9:00-18:00", "someday 09:00-18:00", "mon- 09:00-10:00"]
)
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        span_of(text)


def run(environ: dict[str, str], *arguments: str, provided: str | None = None) -> Result:
    return CliRunner().invoke(root, ["accounts", *arguments], obj=environ, input=provided)


@pytest.fixture
def environ_with_account(environ: dict[str, str]) -> dict[str, str]:
    result = run(environ, "import", "-", provided=json.dumps(Simulator().auth_json("ada")))
    assert result.exit_code == 0
    return environ


def set_terms(environ: dict[str, str], *options: str) -> Any:
    result = run(environ, "terms", "set", "ada@example.com", *options, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_only_what_is_named_changes(environ_with_account: dict[str, str], redis_url: str) -> None:
    environ = environ_with_account
    first = set_terms(
        environ,
        *(
            "--time-zone",
            "Asia/Shanghai",
            "--hours",
            "mon-fri 09:00-18:00",
            "--hours",
            "sat 22:00-06:00",
        ),
        *("--reserve", "weekly=40", "--reserve", "five_hour=12.5%", "--key-group", "team a"),
    )
    second = set_terms(environ, "--paused", "--reserve", "five_hour=0")

    assert first["terms"]["reserved_percent"] == {"five_hour": 12.5, "weekly": 40, "monthly": 0}
    assert second["terms"] == first["terms"] | {
        "paused": True,
        "reserved_percent": {"five_hour": 0, "weekly": 40, "monthly": 0},
    }
    assert second["closed"] == {"term": "paused", "until": None}
    shown = run(environ, "terms", "show", "ada@example.com").stdout
    assert "paused by its owner" in shown
    assert "mon-fri 09:00-18:00; sat 22:00-06:00" in shown
    assert "weekly 40 %" in shown
    last = set_terms(environ, "--not-paused", "--hours", "always", "--key-group", "all")
    assert (last["terms"]["hours"], last["terms"]["key_groups"]) == ([], [])
    with redis.Redis.from_url(redis_url) as client:
        actions = [json.loads(f[b"deed"])["action"] for _, f in client.xrange(keyspace.audit())]
    assert actions == ["account.added", *["account.terms_changed"] * 3]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "nothing to change is named"),
        (("--time-zone", "Mars"), "time_zone is no name of a time zone"),
        (("--hours", "nine to five"), "is no span such as"),
        (("--hours", "10:00-10:00"), "hours[0].until is the same as from"),
        (("--reserve", "week=40"), "is none of five_hour=40, weekly=40, monthly=40"),
        (("--reserve", "weekly=nan"), "is none of"),
        (("--reserve", "weekly=140"), "reserved_percent.weekly is not from 0 to 100"),
        (("--key", "nobody"), "keys[0] is not the id of an API key"),
    ],
)
def test_what_is_wrong_is_said(
    environ_with_account: dict[str, str], options: tuple[str, ...], said: str
) -> None:
    result = run(environ_with_account, "terms", "set", "ada@example.com", *options)

    assert result.exit_code != 0
    assert said in " ".join(result.output.replace("│", " ").split())


def test_the_terms_of_an_owner_stay_the_owners(
    environ_with_account: dict[str, str], redis_url: str
) -> None:
    with redis.Redis.from_url(redis_url) as client:
        [account] = client.smembers(keyspace.accounts())
        client.hset(keyspace.account(account.decode()), "owner", "own_1")

    result = run(environ_with_account, "terms", "set", "ada@example.com", "--paused")

    assert result.exit_code != 0
    assert "owner's" in result.output
