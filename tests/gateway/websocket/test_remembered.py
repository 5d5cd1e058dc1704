"""What connections remember is bounded, for each and for all of them."""

import os

import pytest

from codex_proapi.gateway.websocket import remembered
from codex_proapi.gateway.websocket.remembered import Packed, RememberedConversations


def test_a_conversation_grows_turn_by_turn_and_begins_anew() -> None:
    conversation = RememberedConversations().begin()

    conversation.extend("a", Packed([b"1", b"2"]), Packed([b"3"]), anew=True)
    conversation.extend("b", Packed([b"4"]), Packed([]), anew=False)
    assert b",".join(conversation.items()) == b"1,2,3,4"
    conversation.extend("c", Packed([b"5"]), anew=True)

    assert (conversation.response_id, conversation.items()) == ("c", [b"5"])


def test_beyond_the_bound_the_one_used_longest_ago_is_forgotten() -> None:
    noise = Packed([os.urandom(1000)])
    all_ = RememberedConversations(most=2500)
    first, second, third = (all_.begin() for _ in range(3))
    first.extend("1", noise, anew=True)
    second.extend("2", noise, anew=True)
    first.extend("1", noise, anew=True)
    third.extend("3", noise, anew=True)

    assert [each.response_id for each in (first, second, third)] == ["1", "", "3"]
    assert second.items() == []
    first.forget()
    third.forget()
    assert all_.held == 0


def test_a_conversation_that_is_too_large_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "PLAIN_BYTES", 10)
    all_ = RememberedConversations()
    conversation = all_.begin()

    conversation.extend("1", Packed([b"x" * 11]), anew=True)

    assert (conversation.response_id, all_.held) == ("", 0)
