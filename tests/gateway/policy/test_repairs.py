from typing import Any

import pytest
from support.leases import a_request

from codex_proapi.gateway.errors import GatewayError
from codex_proapi.gateway.formats.codex.refusals import Refusal
from codex_proapi.gateway.formats.codex.requests import Shape, Tool
from codex_proapi.gateway.policy.repairs import changed, without_parameter
from codex_proapi.gateway.policy.retry import Change

NO = Refusal(status=400)


def test_each_change_changes_one_thing_and_never_its_argument() -> None:
    secret = {"type": "reasoning", "summary": [], "encrypted_content": "sealed"}
    request = a_request(secret, service_tier="flex")
    before = request.encode()

    assert changed(request, Change.WITHOUT_ENCRYPTED, NO).input == ()
    assert changed(request, Change.OTHER_SHAPE, NO).shape is Shape.LITE
    assert changed(request, Change.WITHOUT_TIER, NO).service_tier is None
    assert changed(request, Change.NOTHING, NO) is request
    assert changed(request, Change.CREDENTIAL, NO) is request
    assert request.encode() == before


@pytest.mark.parametrize(
    ("param", "named"),
    [
        (None, "tool_choice"),
        ("model", "tool_choice"),
        ("tools[0].type", "tool_choice"),
        ("tool_choice.type", "tool_choice"),
        ("text.verbosity", "text.verbosity"),
    ],
)
def test_a_forced_search_has_no_other_shape(param: str | None, named: str) -> None:
    search = Tool(type="web_search", definition={"type": "web_search"})
    request = a_request(tools=(search,), tool_choice={"type": "web_search"})
    refusal = Refusal(status=400, code="unsupported_value", message="No.", param=param)

    with pytest.raises(GatewayError) as caught:
        changed(request, Change.OTHER_SHAPE, refusal)

    assert (caught.value.status, caught.value.param) == (400, named)


@pytest.mark.parametrize(
    ("choice", "forces"),
    [
        ("auto", False),
        ("none", False),
        ("required", False),
        ({"type": "function", "name": "look"}, False),
        ({"type": "function", "name": "unknown"}, False),
        ({"type": "web_search"}, True),
        ({"type": "allowed_tools", "mode": "auto", "tools": [{"type": "web_search"}]}, False),
        ({"type": "allowed_tools", "mode": "required", "tools": [{"type": "web_search"}]}, True),
    ],
)
def test_which_choices_force_a_search(choice: Any, forces: bool) -> None:
    tools = (
        Tool(type="web_search", definition={"type": "web_search"}),
        Tool(type="function", name="look", definition={"type": "function", "name": "look"}),
    )

    request = a_request(tools=tools, tool_choice=choice)

    assert request.forces_search == forces
    if not forces:
        assert changed(request, Change.OTHER_SHAPE, NO).shape is Shape.LITE


def test_the_parameter_a_refusal_names_is_left_out() -> None:
    refusal = Refusal(status=400, message="Unsupported parameter: prompt_cache_key")

    request = changed(a_request(prompt_cache_key="lane"), Change.WITHOUT_PARAMETER, refusal)

    assert request.prompt_cache_key == ""


@pytest.mark.parametrize(
    ("name", "field", "left"),
    [
        ("service_tier", "service_tier", None),
        ("client_metadata", "client_metadata", None),
        ("instructions", "instructions", None),
        ("parallel_tool_calls", "parallel_tool_calls", None),
        ("tool_choice", "tool_choice", "auto"),
        ("text", "text", {}),
        ("text.verbosity", "text", {"format": {"type": "json_object"}}),
        ("reasoning.summary", "reasoning", {"effort": "low"}),
        ("reasoning", "reasoning", {}),
        ("tools", "tools", ()),
    ],
)
def test_what_a_request_can_do_without_is_left_out_by_name(
    name: str, field: Any, left: Any
) -> None:
    request = a_request(
        service_tier="priority",
        client_metadata={"a": "b"},
        instructions="be brief",
        parallel_tool_calls=True,
        tool_choice="required",
        text={"verbosity": "low", "format": {"type": "json_object"}},
        reasoning={"effort": "low", "summary": "auto"},
        tools=(Tool(type="function", name="f", definition={}),),
    )

    assert getattr(without_parameter(request, name), field) == left


def test_a_key_of_items_is_left_out_of_all_of_them() -> None:
    call = {"type": "function_call", "name": "f", "arguments": "{}", "call_id": "c"}
    request = a_request({**call, "namespace": "functions"})

    assert without_parameter(request, "input[0].namespace").input == (call,)


IMAGE_CALL = {"type": "image_generation_call", "id": "ig_1", "action": "generate"}
SEARCH = {"type": "web_search_call", "id": "ws_1", "action": {"type": "search"}}
TEXT = {"type": "input_text", "text": "hi"}


@pytest.mark.parametrize("shape", Shape)
def test_a_key_is_left_out_of_items_of_the_named_type_only(shape: Shape) -> None:
    request = a_request(SEARCH, IMAGE_CALL, SEARCH, instructions="be brief").in_shape(shape)
    index = request.body()["input"].index(IMAGE_CALL)

    found = without_parameter(request, f"input[{index}].action").input

    assert found == (SEARCH, {"type": "image_generation_call", "id": "ig_1"}, SEARCH)


def test_a_key_of_a_part_is_left_out() -> None:
    message = {"type": "message", "role": "user", "content": [{**TEXT, "x": 1}]}
    request = a_request(message, SEARCH)

    found = without_parameter(request, "input[0].content[0].x").input

    assert found == ({**message, "content": [TEXT]}, SEARCH)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "input[0]",
        "input[9].x",
        "input[0].content[0].text",
        "input[2].type",
        "model",
        "no_such_thing",
    ],
)
def test_what_a_request_needs_stays(name: str) -> None:
    request = a_request()

    assert without_parameter(request, name) is request


def test_images_before_the_last_item_become_notes() -> None:
    image = {"type": "input_image", "image_url": "data:image/png;base64,AAAA"}
    text = {"type": "input_text", "text": "look"}
    asked = {"type": "message", "role": "user", "content": [image, text]}
    shown = {"type": "function_call_output", "call_id": "c", "output": [image]}
    plain = {"type": "function_call_output", "call_id": "d", "output": "done"}
    request = a_request(asked, shown, plain, asked)

    found = changed(request, Change.WITHOUT_IMAGES, NO)

    kinds = [
        [part["type"] for part in item.get("content") or item["output"]]
        for item in (found.input[0], found.input[1], found.input[3])
    ]
    assert kinds == [["input_text", "input_text"], ["input_text"], ["input_image", "input_text"]]
    assert found.input[2] == plain
    assert request.input[0] == asked, "never the argument"


def test_an_image_of_the_last_item_alone_leaves_nothing_to_change() -> None:
    image = {"type": "input_image", "image_url": "https://a.test/b.png"}
    request = a_request({"type": "message", "role": "user", "content": [image]})

    with pytest.raises(GatewayError):
        changed(request, Change.WITHOUT_IMAGES, NO)
