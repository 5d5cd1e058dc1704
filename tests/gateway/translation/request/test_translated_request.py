"""What headers tell, and what a translation gives back."""

import pytest
from support.askings import asked, user

from codex_proapi.gateway.formats.codex.requests import FORWARDED_HEADERS, TURN_STATE_HEADER
from codex_proapi.gateway.translation.request.translated_request import (
    _REVEALING,
    ClientTraits,
    HistoryMode,
    read_headers,
)


@pytest.mark.parametrize("originator", ["codex_cli_rs", "codex_exec", "codex_vscode", "codex-tui"])
def test_codex_is_known_by_its_originator(originator: str) -> None:
    headers = {"originator": originator, "session-id": "s", "thread-id": "t"}

    assert ClientTraits.of(headers) == ClientTraits(is_codex=True, session="s")


def test_every_header_that_is_read_is_text_and_no_other() -> None:
    names = {*_REVEALING, *FORWARDED_HEADERS, TURN_STATE_HEADER}
    texts = {name: f"\xe9 {name}" for name in names}
    sent = {name.encode(): value.encode("latin-1") for name, value in texts.items()}

    assert read_headers({**sent, b"authorization": b"Bearer x", b"accept": b"*/*"}) == texts
    assert read_headers({b"accept": b"*/*"}) == {}


@pytest.mark.parametrize("originator", ["opencode", "Codex", "", "mycodex_1"])
def test_others_are_not_codex(originator: str) -> None:
    assert not ClientTraits.of({"originator": originator}).is_codex


def test_the_lite_header_is_read() -> None:
    headers = {"x-openai-internal-codex-responses-lite": "True"}

    assert ClientTraits.of(headers).lite
    assert not ClientTraits.of({}).lite


@pytest.mark.parametrize(
    "name",
    ["session-id", "session_id", "x-session-id", "x-session-affinity", "x-claude-code-session-id"],
)
def test_a_session_is_read_from_any_known_header(name: str) -> None:
    assert ClientTraits.of({name: " s1 "}).session == "s1"


def test_an_empty_session_is_none() -> None:
    assert ClientTraits.of({"session-id": " ", "x-session-id": "s2"}).session == "s2"
    assert ClientTraits.of({"session-id": ""}).session is None


def test_the_history_is_kept_as_json_items() -> None:
    translated = asked({"messages": "hi"})

    assert list(translated.history) == [user("hi")]
    assert not translated.unresolved


def test_the_modes_are_those_of_the_setting() -> None:
    assert [*HistoryMode] == ["structured", "transcript"]
