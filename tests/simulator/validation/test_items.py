"""One row for each rule: what the backend refuses about input items."""

from typing import Any

import pytest
from support.requests_upstream import a_message

from codex_proapi.simulator.state.seals import seal
from codex_proapi.simulator.validation.items import check_items
from codex_proapi.simulator.validation.values import Refused

PIXEL = "data:image/png;base64,iVBORw0KGgo="


def check(*items: Any, lite: Any = False) -> Any:
    check_items(list(items), workspace="mine", lite=lite)


def error_of(*items: Any, lite: Any = False) -> Any:
    with pytest.raises(Refused) as raised:
        check(*items, lite=lite)
    body = raised.value.refusal.body
    return body.get("error", body)


def call(call_id: Any = "call_1", **changes: Any) -> Any:
    return {
        "type": "function_call",
        "call_id": call_id,
        "name": "f",
        "arguments": "{}",
        **changes,
    }


def output(call_id: Any = "call_1", **changes: Any) -> Any:
    return {"type": "function_call_output", "call_id": call_id, "output": "ok", **changes}


def user(*parts: Any, **changes: Any) -> Any:
    return {"type": "message", "role": "user", "content": list(parts), **changes}


def test_a_whole_conversation_passes() -> None:
    check(
        a_message("be brief", "developer"),
        a_message("weather?"),
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "hm"}],
            "content": None,
            "encrypted_content": seal("mine", "hm"),
        },
        call(id="fc_1", status="completed"),
        output(id="fco_1"),
        {"type": "custom_tool_call", "call_id": "call_2", "name": "apply_patch", "input": "*"},
        {
            "type": "custom_tool_call_output",
            "call_id": "call_2",
            "output": [{"type": "input_text", "text": "ok"}],
        },
        {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {}},
        {
            "type": "message",
            "role": "assistant",
            "id": "msg_1",
            "status": "completed",
            "phase": "final_answer",
            "content": [
                {"type": "output_text", "text": "sunny", "annotations": [], "logprobs": []},
                {"type": "refusal", "refusal": "no"},
            ],
        },
        user(
            {"type": "input_text", "text": "and this?"},
            {"type": "input_image", "image_url": PIXEL, "detail": "original"},
            {"type": "input_image", "image_url": "https://example.com/a.png"},
            {"type": "input_image", "file_id": "file_1"},
            {"type": "input_file", "file_id": "file_1"},
            {"type": "input_file", "file_data": "data:…", "filename": "a.pdf"},
        ),
        {"type": "compaction", "id": "cmp_1", "encrypted_content": seal("mine", "all")},
        {"type": "compaction_trigger"},
    )


def test_a_message_may_leave_out_its_type_and_be_plain_text() -> None:
    check({"role": "user", "content": "hi"})


REFUSED = [
    ("hello", "input[0]", "invalid_type"),
    ({}, "input[0].type", "missing_required_parameter"),
    ({"type": "thought"}, "input[0].type", "invalid_value"),
    (a_message("x", "tool"), "input[0].role", "invalid_value"),
    ({"type": "message", "role": "user"}, "input[0].content", "missing_required_parameter"),
    ({"type": "message", "role": "user", "content": 5}, "input[0].content", "invalid_type"),
    ({**a_message("x"), "name": "bob"}, "input[0].name", "unknown_parameter"),
    ({**a_message("x"), "phase": "commentary"}, "input[0].phase", "invalid_value"),
    ({**a_message("x", "assistant"), "phase": "now"}, "input[0].phase", "invalid_value"),
    (user("text"), "input[0].content[0]", "invalid_type"),
    (user({"type": "text", "text": "x"}), "input[0].content[0]", "invalid_value"),
    (user({"type": "output_text", "text": "x"}), "input[0].content[0]", "invalid_value"),
    (user({"type": "input_text"}), "input[0].content[0].text", "missing_required_parameter"),
    (
        user({"type": "input_text", "text": "x", "cache_control": {}}),
        "input[0].content[0].cache_control",
        "unknown_parameter",
    ),
    (
        user({"type": "input_image", "image_url": {"url": PIXEL}}),
        "input[0].content[0].image_url",
        "invalid_type",
    ),
    (
        user({"type": "input_image", "image_url": "hello.png"}),
        "input[0].content[0].image_url",
        "invalid_value",
    ),
    (
        user({"type": "input_image", "image_url": "data:image/png;base64,%%"}),
        "input",
        "invalid_value",
    ),
    (
        user({"type": "input_image", "image_url": "data:text/plain;base64,aGk="}),
        "input",
        "invalid_value",
    ),
    (
        user({"type": "input_image", "image_url": PIXEL, "detail": "huge"}),
        "input[0].content[0].detail",
        "invalid_value",
    ),
    (
        user({"type": "input_file", "file_data": "x"}),
        "input[0].content[0].file_id",
        "missing_required_parameter",
    ),
    (
        {**a_message("x", "assistant"), "content": [{"type": "input_text", "text": "x"}]},
        "input[0].content[0]",
        "invalid_value",
    ),
    ({**a_message("x"), "id": 5}, "input[0].id", "invalid_type"),
    ({**a_message("x"), "id": "user_1"}, "input[0].id", "invalid_value"),
    ({**a_message("x"), "id": "msg_ä"}, "input[0].id", "invalid_value"),
    ({**a_message("x"), "id": "msg_" + "1" * 61}, "input[0].id", "string_above_max_length"),
    (call(id="call_1"), "input[0].id", "invalid_value"),
    (call(arguments={}), "input[0].arguments", "invalid_type"),
    (call(arguments=None), "input[0].arguments", "invalid_type"),
    (call(name="my tool"), "input[0].name", "invalid_value"),
    (call(name="x" * 65), "input[0].name", "string_above_max_length"),
    (call(name=None), "input[0].name", "missing_required_parameter"),
    (call(name=5), "input[0].name", "invalid_type"),
    (call(namespace="functions"), "input[0].namespace", "unknown_parameter"),
    (call("c" * 65), "input[0].call_id", "string_above_max_length"),
    (call(""), "input[0].call_id", "empty_string"),
    (output(output=None), "input[0].output", "invalid_type"),
    (
        {"type": "function_call_output", "call_id": "call_1"},
        "input[0].output",
        "missing_required_parameter",
    ),
    (
        output(output=[{"type": "output_text", "text": "x"}]),
        "input[0].output[0]",
        "invalid_value",
    ),
    ({"type": "reasoning"}, "input[0].summary", "missing_required_parameter"),
    ({"type": "reasoning", "summary": "x"}, "input[0].summary", "invalid_type"),
    ({"type": "reasoning", "summary": ["x"]}, "input[0].summary[0]", "invalid_value"),
    ({"type": "compaction"}, "input[0].encrypted_content", "missing_required_parameter"),
    (
        {"type": "additional_tools", "role": "developer", "tools": []},
        "input[0].type",
        "invalid_value",
    ),
]


@pytest.mark.parametrize(("item", "param", "code"), REFUSED)
def test_a_bad_item_is_refused_with_its_place(item: Any, param: Any, code: Any) -> None:
    error = error_of(item)

    assert (error["param"], error["code"]) == (param, code)


def test_system_messages_are_not_allowed() -> None:
    assert error_of(a_message("x", "system")) == {"detail": "System messages are not allowed"}


def test_the_message_about_a_part_names_those_there_are() -> None:
    error = error_of(user({"type": "output_text", "text": "x"}))

    assert error["message"] == (
        "Invalid value: 'output_text'. "
        "Supported values are: 'input_text', 'input_image' and 'input_file'."
    )


def test_a_cache_breakpoint_is_refused() -> None:
    part = {"type": "input_text", "text": "x", "prompt_cache_breakpoint": {}}

    assert error_of(user(part))["message"].startswith("prompt_cache_breakpoint")


def test_an_image_of_a_lite_request_has_no_detail() -> None:
    part = {"type": "input_image", "image_url": PIXEL, "detail": "auto"}

    assert error_of(user(part), lite=True)["code"] == "unknown_parameter"


def test_a_lite_request_may_replay_namespaces() -> None:
    check(call(namespace="functions"), output(), lite=True)


def test_a_call_without_output_is_refused() -> None:
    assert error_of(call())["message"] == "No tool output found for function call call_1."


def test_a_custom_call_without_output_is_refused() -> None:
    item = {"type": "custom_tool_call", "call_id": "call_1", "name": "f", "input": ""}

    assert error_of(item)["message"] == "No tool output found for custom tool call call_1."


def test_an_output_without_call_is_refused() -> None:
    assert error_of(output())["message"] == (
        "No tool call found for function call output with call_id call_1."
    )


def test_an_output_before_its_call_is_refused() -> None:
    assert "No tool call found" in error_of(output(), call())["message"]


def test_an_output_of_the_other_kind_is_refused() -> None:
    other = {"type": "custom_tool_call_output", "call_id": "call_1", "output": "x"}

    assert "No tool call found for custom tool call" in error_of(call(), other)["message"]


def test_the_same_call_twice_is_refused() -> None:
    assert "Duplicate call_id" in error_of(call(), call(), output())["message"]


def test_the_same_item_id_twice_is_refused() -> None:
    message = {**a_message("x", "assistant"), "id": "msg_123"}

    assert error_of(message, message)["message"].startswith("Duplicate item found with id msg_123.")


def test_sealed_reasoning_of_another_account_is_refused() -> None:
    item = {"type": "reasoning", "summary": [], "encrypted_content": seal("theirs", "x")}

    assert error_of(item)["code"] == "invalid_encrypted_content"


def test_a_sealed_compaction_of_another_account_is_refused() -> None:
    item = {"type": "compaction", "encrypted_content": seal("theirs", "x")}

    assert error_of(item)["code"] == "invalid_encrypted_content"


def test_reasoning_known_by_its_id_only_is_not_found() -> None:
    item = {"type": "reasoning", "id": "rs_1", "summary": []}

    assert error_of(item)["message"].startswith("Item with id 'rs_1' not found.")


def test_reasoning_with_neither_id_nor_seal_passes() -> None:
    check({"type": "reasoning", "summary": []}, a_message("hi"))


def test_an_item_reference_is_not_found() -> None:
    with pytest.raises(Refused) as raised:
        check({"type": "item_reference", "id": "msg_1"})

    assert raised.value.refusal.status == 404


def test_a_compaction_trigger_is_the_last_item() -> None:
    assert error_of({"type": "compaction_trigger"}, a_message("hi"))["param"] == "input[0]"
