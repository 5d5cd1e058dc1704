"""Given these upstream events, exactly that message: every rule of a Messages answer."""

import pytest
from support import upstream_says as says
from support.messages_streams import BASH_CALL, content, fed, read, stream, text, thinking
from support.strict_messages import StrictReader

from codex_proapi.gateway.formats.anthropic.events import encode
from codex_proapi.gateway.translation.messages.answer.signature import opened, sealed


def test_text() -> None:
    reader = read(
        says.created(),
        says.text("Hel"),
        says.text("lo"),
        says.text_done("Hello"),
        says.done(says.message("Hello")),
        says.completed(says.message("Hello")),
    )

    assert reader.stopped
    assert reader.message == {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-x",
        "content": [text("Hello")],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 12,
            "cache_creation_input_tokens": 8,
            "cache_read_input_tokens": 80,
            "output_tokens": 20,
        },
    }


def test_message_start_has_an_estimate() -> None:
    reader = StrictReader().read(encode(fed(stream(input_tokens=321), says.created())[0]))

    assert reader.message is not None
    assert reader.message["usage"]["input_tokens"] == 321


def test_message_starts_once_and_with_the_first_event() -> None:
    made = stream()

    assert len(fed(made, says.created())) == 1
    assert fed(made, says.created()) == []


@pytest.mark.parametrize(
    "bodies",
    [
        [says.text_done("Hello")],
        [says.done(says.message("Hello"))],
        [says.completed(says.message("Hello"))],
        [says.text("Hello"), says.completed(says.message("Hello"))],
    ],
)
def test_text_is_written_once_wherever_it_comes_first(bodies: list[says.Body]) -> None:
    if bodies[-1]["type"] != "response.completed":
        bodies = [*bodies, says.completed(says.message("Hello"))]

    assert content(*bodies) == [text("Hello")]


def test_thinking_is_signed_just_before_its_end() -> None:
    assert content(
        says.added({**says.reasoning(), "encrypted_content": "snapshot"}),
        says.thought("Hm"),
        says.thought("m."),
        says.thought("So", part=1),
        says.done(says.reasoning("Hmm.", "So")),
        says.text("Yes", at=1),
        says.completed(),
    ) == [thinking("Hmm.\n\nSo"), text("Yes")]


def test_thinking_without_a_summary_is_only_a_signature() -> None:
    assert content(says.done(says.reasoning()), says.text("Yes", at=1), says.completed()) == [
        thinking(""),
        text("Yes"),
    ]


def test_reasoning_items_in_a_row_are_one_block() -> None:
    blocks = content(
        says.thought("A"),
        says.done(says.reasoning("A")),
        says.thought("B", item="rs_2", at=1),
        says.done({**says.reasoning("B", id_="rs_2"), "encrypted_content": "gBBBB"}, at=1),
        says.done(BASH_CALL, at=2),
        says.completed(),
    )

    assert blocks[0]["thinking"] == "A\n\nB"
    envelope = opened(blocks[0]["signature"])
    assert envelope is not None
    assert envelope.contents == ("gAAAA", "gBBBB")


def test_snapshot_counts_only_where_the_end_brings_nothing() -> None:
    item = {**says.reasoning(), "encrypted_content": None}
    blocks = content(
        says.added({**item, "encrypted_content": "snap"}),
        says.done(item),
        says.text("Yes", at=1),
        says.completed(),
    )

    assert blocks[0] == thinking("", sealed("acc_1", ["snap"]))


def test_late_reasoning_opens_a_block_of_its_own() -> None:
    assert content(
        says.text("A"),
        says.thought("Late", at=1),
        says.done(says.reasoning("Late"), at=1),
        says.text("B", at=2),
        says.completed(),
    ) == [text("A"), thinking("Late"), text("B")]


def test_signature_that_nothing_follows_is_left_out() -> None:
    assert content(says.text("A"), says.done(says.reasoning(), at=1), says.completed()) == [
        text("A")
    ]


def test_thinking_that_nobody_asked_for_is_not_written() -> None:
    assert content(
        says.thought("Hm"),
        says.done(says.reasoning("Hm")),
        says.text("Yes", at=1),
        says.completed(),
        thinking=False,
    ) == [text("Yes")]


def test_omitted_thinking_has_its_signature_only() -> None:
    assert content(
        says.thought("Hm"),
        says.done(says.reasoning("Hm")),
        says.text("Yes", at=1),
        says.completed(),
        summaries=False,
    ) == [thinking(""), text("Yes")]


def test_thinking_without_encrypted_content_has_no_signature() -> None:
    item = {**says.reasoning("Hm"), "encrypted_content": 7}

    assert content(says.done(item), says.text("Yes", at=1), says.completed()) == [
        thinking("Hm", ""),
        text("Yes"),
    ]


def test_search_with_sources_comes_before_its_text() -> None:
    search = {
        "type": "web_search_call",
        "id": "ws_1",
        "action": {"type": "search", "query": "q", "sources": [{"type": "url", "url": "http://a"}]},
    }
    reader = read(says.done(search), says.text("A", at=1), says.completed())
    use, result, words = reader.content

    assert (use["type"], use["name"], use["input"]) == (
        "server_tool_use",
        "web_search",
        {"query": "q"},
    )
    assert result["tool_use_id"] == use["id"]
    assert result["content"] == [
        {
            "type": "web_search_result",
            "url": "http://a",
            "title": "http://a",
            "encrypted_content": "",
            "page_age": None,
        }
    ]
    assert words == text("A")
    assert reader.message is not None
    assert reader.message["usage"]["server_tool_use"] == {"web_search_requests": 1}
    assert reader.message["stop_reason"] == "end_turn"


def test_search_without_sources_has_the_pages_its_answer_cites() -> None:
    cited = {"type": "url_citation", "url": "http://a", "title": "A"}
    blocks = content(
        says.done({"type": "web_search_call", "id": "ws_1", "action": {"queries": ["x", "y"]}}),
        says.done({"type": "web_search_call", "id": "ws_2", "action": 7}, at=1),
        says.text("A", at=2),
        says.done(says.message("A", annotations=(cited, cited)), at=2),
        says.completed(),
    )

    assert [block["type"] for block in blocks] == [
        "text",
        "server_tool_use",
        "web_search_tool_result",
        "server_tool_use",
        "web_search_tool_result",
    ]
    assert blocks[1]["input"] == {"query": "x, y"}
    assert [page["title"] for page in blocks[2]["content"]] == ["A"]
    assert blocks[4]["content"] == []


def test_safeguards_are_answered_with_nothing_judged() -> None:
    reader = read(says.text("A"), says.completed(), safeguards=("dangerous_tool_use",))

    assert reader.message is not None
    assert reader.message["safeguard_results"] == [
        {"type": "dangerous_tool_use", "status": {"type": "available", "tool_uses": {}}}
    ]


def test_usage_that_upstream_does_not_tell_is_the_estimate() -> None:
    reader = read(says.text("A"), says.completed(usage=None), input_tokens=5)

    assert reader.message is not None
    assert reader.message["usage"]["input_tokens"] == 5
