"""A history finished and named."""

import re
from typing import Any

import msgspec
import pytest
from support.askings import (
    CODEX,
    NOBODY,
    asked,
    assistant,
    call,
    result,
    sent,
    user,
)

from codex_proapi.gateway.translation.history.call_pairing import INTERRUPTED
from codex_proapi.gateway.translation.request.finish import finished
from codex_proapi.gateway.translation.request.translated_request import (
    Basis,
    ClientTraits,
    HistoryMode,
    RequestOptions,
    TranslatedRequest,
)

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}")
HI = {"role": "user", "content": "hi"}
ANSWER = {"role": "assistant", "content": "hello"}


def _with(**basis: Any) -> TranslatedRequest:
    start = Basis(
        key_id="k", history_mode=HistoryMode.STRUCTURED, verbatim=False, lane=None, session=None
    )
    translated = asked({"messages": "x"})
    return msgspec.structs.replace(translated, basis=msgspec.structs.replace(start, **basis))


def _names(body: dict[str, Any], **rest: Any) -> tuple[str, str, str]:
    found = asked(body, **rest)
    return found.fingerprint_source, found.request.prompt_cache_key, found.request.session_id


def test_a_conversation_keeps_its_name_over_its_turns() -> None:
    first = _names({"messages": [HI]})
    later = _names({"messages": [HI, ANSWER, {"role": "user", "content": "more"}]})

    assert first == later
    assert first[1] == first[2]
    assert UUID.fullmatch(first[2])


@pytest.mark.parametrize(
    ("messages", "key"),
    [
        ([{"role": "user", "content": "ho"}], "key_1"),
        ([{"role": "system", "content": "S"}, HI], "key_1"),
        ([HI], "key_2"),
    ],
)
def test_another_beginning_or_key_is_another_conversation(messages: Any, key: str) -> None:
    other = _names({"messages": messages}, options=RequestOptions(key_id=key))

    assert not set(other) & set(_names({"messages": [HI]}))


def test_the_clients_cache_key_is_sent_and_names_the_conversation() -> None:
    one = _names({"messages": [HI], "prompt_cache_key": "lane"})
    two = _names({"messages": [ANSWER, HI], "prompt_cache_key": "lane"})
    other_key = _names(
        {"messages": [HI], "prompt_cache_key": "lane"}, options=RequestOptions(key_id="key_2")
    )

    assert one == two
    assert one[1] == other_key[1] == "lane"
    assert one[0] != other_key[0]
    assert one[2] != other_key[2]


def test_a_session_header_does_where_there_is_no_cache_key() -> None:
    client = ClientTraits(session="session-1")
    one, two = (_names({"messages": [m]}, client=client) for m in (HI, ANSWER))

    assert one == two
    assert one[1] == "session-1"
    assert UUID.fullmatch(one[2])
    assert _names({"messages": [HI], "prompt_cache_key": "lane"}, client=client)[1] == "lane"


def test_a_codex_clients_session_id_is_its_own() -> None:
    own = "BD4BF34B-a6b1-76d2-886e-f95ad33b35bc"
    body = {"input": [user("hi")]}

    def session(name: str, client: ClientTraits) -> str:
        traits = msgspec.structs.replace(client, session=name)
        return _names(body, endpoint="responses", client=traits)[2]

    assert session(own, CODEX) == own
    assert session("no uuid", CODEX) != "no uuid"
    assert session(own, NOBODY) != own


def test_history_is_paired_and_kept() -> None:
    found = finished(_with(), [user("hi"), call("c", "f")])

    assert list(found.request.input) == [user("hi"), call("c", "f"), result("c", INTERRUPTED)]
    assert found.history == found.request.input


def test_codexs_own_history_is_not_touched() -> None:
    items = [user("hi"), call("c", "f")]
    found = finished(_with(verbatim=True, history_mode=HistoryMode.TRANSCRIPT), items)

    assert list(found.request.input) == items


def test_a_transcript_is_sent_but_the_items_are_kept() -> None:
    items = [user("hi"), assistant("hello")]
    found = finished(_with(history_mode=HistoryMode.TRANSCRIPT), items)

    assert list(found.request.input) == [user("User: hi\nAssistant: hello")]
    assert list(found.history) == items


def test_only_the_last_item_may_ask_for_compaction() -> None:
    trigger = {"type": "compaction_trigger"}

    assert finished(_with(), [trigger, user("hi"), trigger]).history == (user("hi"), trigger)
    assert finished(_with(), [trigger, user("hi")]).history == (user("hi"),)


def test_a_lane_names_the_conversation_whatever_is_said() -> None:
    one = finished(_with(lane="l"), [user("a")]).fingerprint_source

    assert one == finished(_with(lane="l"), [user("b")]).fingerprint_source
    assert one != finished(_with(lane="m"), [user("a")]).fingerprint_source


def test_a_first_turn_without_a_name_begins_and_follows_no_earlier_one() -> None:
    assert asked({"messages": [{"role": "system", "content": "S"}, HI]}).begins
    assert not asked({"messages": [HI, ANSWER, {"role": "user", "content": "more"}]}).begins
    assert not asked({"messages": [HI], "prompt_cache_key": "mine"}).begins
    assert not asked({"messages": [HI]}, client=ClientTraits.of({"x-session-id": "s"})).begins


@pytest.mark.parametrize("client", [NOBODY, CODEX])
def test_an_id_is_kept_once(client: ClientTraits) -> None:
    search = {"type": "web_search_call", "id": "ws_1", "status": "completed"}
    body = {"input": [user("hi"), search, search, user("more")]}

    found = sent(body, endpoint="responses", client=client)["input"]

    assert [item.get("id") for item in found if item["type"] == "web_search_call"] == ["ws_1", None]
