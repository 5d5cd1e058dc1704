import pytest

from codex_proapi.commons.usage.exchange_record import Ending
from codex_proapi.console.texts.events import CHOICES, ENDINGS, EVENTS, VERDICTS


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
