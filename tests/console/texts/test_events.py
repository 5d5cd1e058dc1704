import msgspec
import pytest

from codex_proapi.commons.cluster.live_settings import LiveSettings
from codex_proapi.commons.usage.exchange_record import Ending
from codex_proapi.console.api.accounts import AccountChange
from codex_proapi.console.api.keys import KeyChange
from codex_proapi.console.texts.events import (
    ACTORS,
    CHOICES,
    ENDINGS,
    EVENTS,
    FIELDS,
    REFUSED_KEYS,
    VERDICTS,
)


def test_every_ending_has_words() -> None:
    assert ENDINGS.keys() == {ending.value for ending in Ending}


@pytest.mark.parametrize("name", EVENTS)
def test_events_are_named_as_facts_in_the_past(name: str) -> None:
    noun, _, verb = name.partition(".")

    assert noun
    assert verb


def test_attempts_are_told_in_words() -> None:
    assert VERDICTS["committed"] == "answered"
    assert CHOICES["affinity"].startswith("chosen because")


@pytest.mark.parametrize("record", [LiveSettings, KeyChange, AccountChange])
def test_whatever_can_be_changed_has_a_label(record: type[msgspec.Struct]) -> None:
    assert set(record.__struct_fields__) <= FIELDS.keys()


def test_every_actor_and_refused_key_has_words() -> None:
    assert ACTORS.keys() == {"admin", "local", "cli", "nobody"}
    assert REFUSED_KEYS.keys() == {"missing", "foreign", "unknown", "ended"}
