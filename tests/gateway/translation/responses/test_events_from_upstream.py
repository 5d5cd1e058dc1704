"""Upstream's events in, public events out: what every Responses client may rely on."""

import copy
from typing import Any

import pytest
from support import upstream_says as says

from codex_proapi.gateway.errors import EmptyAnswer, Truncated
from codex_proapi.gateway.translation.responses.events_from_upstream import (
    ResponseState,
    ResponseStream,
)
from codex_proapi.gateway.translation.responses.options import ResponseOptions


def stream(**options: Any) -> ResponseStream:
    return ResponseStream(ResponseOptions(**options), response_id="resp_ours", created=7)


def passed(answer: ResponseStream, *bodies: says.Body) -> list[says.Body]:
    return [out for body in bodies for out in answer.feed(copy.deepcopy(body))]


def kinds(bodies: list[says.Body]) -> list[str]:
    return [body["type"].removeprefix("response.") for body in bodies]


def test_response_created_is_complete() -> None:
    (created,) = passed(stream(), says.created(tools=None, output=None))

    assert (
        created["response"] | {"id": "resp_1", "created_at": 7, "model": "gpt-5.5"}
        == created["response"]
    )
    assert created["response"]["status"] == "in_progress"
    assert (created["response"]["output"], created["response"]["tools"]) == ([], [])
    assert created["response"]["tool_choice"] == "auto"


def test_response_created_comes_first_and_once_whatever_upstream_begins_with() -> None:
    answer = stream(model="asked")
    out = passed(answer, says.text("Hi"), says.created(), says.created())

    assert kinds(out) == ["created", "output_item.added", "content_part.added", "output_text.delta"]
    assert (out[0]["response"]["id"], out[0]["response"]["model"]) == ("resp_ours", "asked")


def test_the_client_keeps_the_id_it_began_with() -> None:
    answer = stream()
    out = passed(answer, says.text("Hi"), says.completed(says.message("Hi")))

    assert out[-1]["response"]["id"] == "resp_ours"


@pytest.mark.parametrize("kind", ["response.in_progress", "response.queued"])
def test_events_under_way_are_complete_too(kind: str) -> None:
    answer = stream(model="asked", echo={"metadata": {"a": "b"}, "store": True})
    out = passed(
        answer, says.created(), {"type": kind, "response": {"id": "resp_1"}}, {"type": kind}
    )

    for body in out:
        assert body["response"]["id"] == "resp_1"
        assert body["response"]["model"] == "asked"
        assert body["response"]["metadata"] == {"a": "b"}
        assert body["response"]["store"] is True
        assert body["response"]["output"] == []


@pytest.mark.parametrize(
    "kind",
    ["codex.rate_limits", "codex.new", "keepalive", "responsesapi.websocket_timing", "response.metadata", "response.new"],
)  # fmt: skip
def test_events_outside_the_public_api_are_left_out(kind: str) -> None:
    assert passed(stream(), says.created(), {"type": kind})[1:] == []


def test_the_finished_response_holds_all_items() -> None:
    answer = stream()
    out = passed(
        answer,
        says.created(),
        says.done(says.call("f", "{}"), at=1),
        says.done(says.message("Hi"), at=0),
        says.completed(),
    )

    response = out[-1]["response"]
    assert response["output"] == [says.message("Hi"), says.call("f", "{}")]
    assert response["status"] == "completed"
    assert response["usage"] == says.USAGE
    assert answer.response is response
    assert answer.output == response["output"]


def test_usage_is_never_null_at_the_end() -> None:
    for end in (
        says.completed(usage=None),
        says.incomplete(usage=None),
        {"type": "response.incomplete"},
    ):
        (*_, last) = passed(stream(), says.done(says.message("x")), end)

        assert last["response"]["usage"]["input_tokens_details"] == {"cached_tokens": 0}
        assert last["response"]["usage"]["total_tokens"] == 0


def test_an_item_known_only_by_its_end_is_told_from_its_beginning() -> None:
    out = passed(stream(), says.created(), says.done(says.call("f", "{}")), says.completed())

    assert kinds(out)[1:] == [
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "completed",
    ]


def test_an_item_known_only_by_the_finished_response_is_told_too() -> None:
    out = passed(stream(), says.created(), says.completed(says.message("Hi"), "odd"))  # type: ignore[arg-type]

    assert kinds(out)[1:] == [
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert out[-1]["response"]["output"] == [says.message("Hi")]


def test_what_was_told_is_not_told_again() -> None:
    bodies = (
        says.created(),
        says.added(says.message()),
        {
            "type": "response.content_part.added",
            "item_id": "msg_1",
            "output_index": 0,
            "content_index": 0,
            "part": {"type": "output_text", "text": ""},
        },
        says.text("Hi"),
        says.text_done("Hi"),
        says.done(says.message("Hi")),
    )
    out = passed(stream(), *bodies, *bodies[1:3], bodies[-1], says.completed(says.message("Hi")))

    assert kinds(out) == [
        "created",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.done",
        "output_item.done",
        "completed",
    ]


def test_added_items_have_the_fields_helpers_add_to() -> None:
    (_, added) = passed(stream(), says.added({"type": "function_call", "name": "f"}))

    assert added["item"] == {
        "type": "function_call",
        "name": "f",
        "arguments": "",
        "id": "fc_ours_0",
        "call_id": "fc_ours_0",
        "status": "in_progress",
    }
    assert added["output_index"] == 0


@pytest.mark.parametrize("kind", ["response.output_item.added", "response.output_item.done"])
def test_an_item_event_without_an_item_is_left_out(kind: str) -> None:
    assert passed(stream(), says.created(), {"type": kind, "item": None})[1:] == []


def test_other_events_about_an_item_get_their_ids() -> None:
    searching = {"type": "response.web_search_call.searching", "output_index": 0}
    out = passed(stream(), says.added({"type": "web_search_call", "id": "ws_1"}), searching)

    assert out[-1] == {**searching, "item_id": "ws_1"}
    assert passed(stream(), says.created(), searching)[-1] == searching


def test_deltas_of_a_call_nobody_announced_wait_for_its_end() -> None:
    out = passed(stream(), says.created(), says.arguments("{"), says.done(says.call("f", "{}")))

    assert kinds(out)[1:] == [
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
    ]
    assert out[2]["delta"] == "{}"


def test_items_that_never_ended_end_with_the_answer_if_all_of_them_was_told() -> None:
    answer = stream()
    out = passed(
        answer,
        says.text_done("Hi"),
        says.added(says.call("f"), at=1),
        says.arguments_done("{}", at=1),
        says.text("half", item="msg_2", at=2),
        says.completed(),
    )

    assert kinds(out)[-3:] == ["output_item.done", "output_item.done", "completed"]
    assert [item["id"] for item in out[-1]["response"]["output"]] == ["msg_1", "fc_1"]


def test_items_of_a_cut_answer_stay_open() -> None:
    out = passed(stream(), says.text_done("Hi"), says.incomplete())

    assert kinds(out)[-2:] == ["output_text.done", "incomplete"]
    assert out[-1]["response"]["output"] == []


def test_tool_names_are_the_clients_own_everywhere() -> None:
    answer = stream(tool_names={"short": "long/name"})
    call = {**says.call("short", "{}"), "namespace": "functions"}
    out = passed(answer, says.added(call), says.done(call), says.completed(call))

    items = [body["item"] for body in out if "item" in body] + out[-1]["response"]["output"]
    assert [item["name"] for item in items] == ["long/name"] * 3
    assert all("namespace" not in item for item in items)


def test_a_cut_answer_is_incomplete() -> None:
    (*_, last) = passed(stream(), says.text("Hel"), says.incomplete("content_filter"))

    assert last["type"] == "response.incomplete"
    assert last["response"]["status"] == "incomplete"
    assert last["response"]["incomplete_details"] == {"reason": "content_filter"}


@pytest.mark.parametrize("bodies", [(), (says.done(says.reasoning("Hm")),)])
def test_an_answer_without_a_word_or_a_call_is_an_error(bodies: tuple[says.Body, ...]) -> None:
    answer = stream()
    with pytest.raises(EmptyAnswer):
        passed(answer, says.created(), *bodies, says.completed())
    assert answer.state is ResponseState.FAILED


def test_an_empty_answer_of_one_event_is_begun_before_it_fails() -> None:
    answer = stream()
    with pytest.raises(EmptyAnswer):
        passed(answer, says.completed())

    assert kinds(answer.fail()[0]) == ["created"]


def test_an_answer_told_in_deltas_alone_is_not_empty() -> None:
    out = passed(stream(), says.text("Hi"), says.completed())

    assert kinds(out)[-1] == "completed"


def test_the_status_at_the_end_is_that_of_the_event() -> None:
    for end, status in ((says.completed, "completed"), (says.incomplete, "incomplete")):
        out = passed(stream(), says.text("x"), end(status="in_progress"))

        assert out[-1]["response"]["status"] == status


def test_a_compaction_alone_is_an_answer() -> None:
    item = {"type": "compaction", "id": "cmp_1", "encrypted_content": "x"}
    out = passed(stream(), says.created(), says.done(item), says.completed())

    assert out[-1]["response"]["output"] == [item]


def test_nothing_comes_after_the_end() -> None:
    answer = stream()
    passed(answer, says.done(says.message("x")), says.completed())

    assert passed(answer, says.text("y"), says.created(), says.completed()) == []
    answer.finish()
    assert answer.state is ResponseState.FINISHED
    assert repr(answer) == "<ResponseStream finished>"


def test_bytes_that_end_early_are_truncated() -> None:
    for bodies in ((), (says.text("Hel"),)):
        answer = stream()
        passed(answer, *bodies)

        with pytest.raises(Truncated):
            answer.finish()
        answer.fail()
        assert answer.state is ResponseState.FAILED


def test_a_failure_tells_the_response_so_far() -> None:
    answer = stream(model="asked")
    passed(answer, says.created(), says.done(says.message("x")))
    opening, response = answer.fail({"usage": says.USAGE, "id": "resp_1"})

    assert opening == []
    assert response["status"] == "failed"
    assert response["output"] == [says.message("x")]
    assert (response["usage"], response["model"]) == (says.USAGE, "asked")


def test_a_failure_before_everything_is_begun_first() -> None:
    opening, response = stream().fail()

    assert kinds(opening) == ["created"]
    assert (response["id"], response["status"]) == ("resp_ours", "failed")


def test_an_item_keeps_the_id_it_began_with() -> None:
    answer = ResponseStream(ResponseOptions(), response_id="resp_ours", created=7)
    bodies = [
        says.added({"id": "rs_A", "type": "reasoning", "summary": []}),
        says.thought("t"),
        says.done(says.reasoning("t", id_="rs_B")),
        says.added({**says.message(id_="msg_A"), "content": []}, at=1),
        says.text("x", item="msg_B", at=1),
        says.done(says.message("x", id_="msg_C"), at=1),
        says.completed(says.reasoning("t", id_="rs_D"), says.message("x", id_="msg_D")),
    ]

    told = [event for body in bodies for event in answer.feed(copy.deepcopy(body))]

    items = [event["item"]["id"] for event in told if "item" in event]
    assert items == ["rs_A", "rs_A", "msg_A", "msg_A"]
    assert {event["item_id"] for event in told if "item_id" in event} == {"rs_A", "msg_A"}
    assert [item["id"] for item in answer.response["output"]] == ["rs_A", "msg_A"]
