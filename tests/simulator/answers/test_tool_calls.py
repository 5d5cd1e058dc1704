"""Which tools are called, with what, and when it stops."""

from typing import Any

import msgspec
import pytest
from support.requests_upstream import a_function, a_lite_turn, a_message, a_turn

from codex_proapi.simulator.answers.parts import Call, Message, Reasoning
from codex_proapi.simulator.answers.simulated_model import answer_to
from codex_proapi.simulator.answers.tool_calls import MAX_ROUNDS
from codex_proapi.simulator.state.accounts import SimulatedAccount
from codex_proapi.simulator.validation.request_rules import LITE_HEADER, check_request

ADA = SimulatedAccount(name="ada")
STRING = {"type": "string"}


def answer(prompt: Any, **changes: Any) -> Any:
    parts = answer_to(check_request(a_turn(prompt, **changes), {}, ADA))
    return [part for part in parts if not isinstance(part, Reasoning)]


def says(prompt: Any, **changes: Any) -> Any:
    [words] = answer(prompt, **changes)
    return words.text


def turn_after(prompt: Any, *outputs: Any, name: Any = "get_weather") -> Any:
    """The input of a turn in which tools have answered."""
    items = [a_message(prompt)]
    for number, text in enumerate(outputs):
        items.append(
            {
                "type": "function_call",
                "call_id": f"call_{number}",
                "name": name,
                "arguments": "{}",
            }
        )
        items.append({"type": "function_call_output", "call_id": f"call_{number}", "output": text})
    return items


WEATHER = a_function("get_weather")
AGENT = [
    a_function("read_file", path=STRING),
    a_function("write_file", path=STRING, content=STRING),
    a_function("exec_command", cmd=STRING),
]
CALLED = [
    ([WEATHER], "What's the weather in Oslo?", [("get_weather", {"city": "Oslo"})]),
    ([WEATHER], "use the tool", [("get_weather", {"city": "Paris"})]),
    (AGENT, "Call write_file", [("write_file", {"path": "hello.txt", "content": "hello\n"})]),
    (AGENT, "run `date`", [("exec_command", {"cmd": "date"})]),
    (AGENT, "Read hello.txt and tell me", [("read_file", {"path": "hello.txt"})]),
    (AGENT, "say read hello.txt", []),
    (AGENT, "tell me a joke", []),
]


@pytest.mark.parametrize(("tools", "prompt", "calls"), CALLED)
def test_a_tool_the_prompt_asks_for_is_called(tools: Any, prompt: Any, calls: Any) -> None:
    found = [
        (part.name, msgspec.json.decode(part.arguments))
        for part in answer(prompt, tools=tools)
        if isinstance(part, Call)
    ]

    assert found == calls


def test_tools_run_in_parallel_where_that_is_allowed() -> None:
    parallel = answer("weather in Oslo twice", tools=[WEATHER], parallel_tool_calls=True)
    single = answer("weather in Oslo twice", tools=[WEATHER])

    assert [part.arguments for part in parallel] == ['{"city":"Oslo"}', '{"city":"Lima"}']
    assert len(single) == 1


def test_two_named_tools_are_both_called() -> None:
    found = answer("use read_file and write_file", tools=AGENT, parallel_tool_calls=True)

    assert [part.name for part in found] == ["read_file", "write_file"]


def test_steps_are_taken_one_by_one() -> None:
    prompt = "read_file a.txt, then write_file b.txt"
    first = answer(prompt, tools=AGENT)
    second = answer(prompt, tools=AGENT, input=turn_after(prompt, "text", name="read_file"))
    last = answer(prompt, tools=AGENT, input=turn_after(prompt, "text", "done"))

    assert [part.name for part in (*first, *second)] == ["read_file", "write_file"]
    assert isinstance(last[0], Message)


def test_after_the_tool_has_answered_it_quotes_and_stops() -> None:
    prompt = "What's the weather in Oslo?"

    text = says(prompt, tools=[WEATHER], input=turn_after(prompt, "12 degrees"))

    assert text == "The tool answered: 12 degrees"


FORCED = [
    "required",
    {"type": "function", "name": "get_weather"},
    {"type": "allowed_tools", "mode": "required", "tools": [{"name": "get_weather"}]},
]


@pytest.mark.parametrize("choice", FORCED)
def test_a_forced_tool_is_called_whatever_is_said(choice: Any) -> None:
    [call] = answer("say hi", tools=[WEATHER], tool_choice=choice)

    assert call.name == "get_weather"


def test_no_tool_is_called_when_none_is_allowed() -> None:
    assert says("weather in Oslo?", tools=[WEATHER], tool_choice="none").startswith("You said")


@pytest.mark.parametrize("rounds", [MAX_ROUNDS, MAX_ROUNDS + 1])
def test_it_never_loops(rounds: Any) -> None:
    outputs = ["again"] * rounds
    found = answer("go", tools=[WEATHER], tool_choice="required", input=turn_after("go", *outputs))

    assert isinstance(found[0], Message)


def test_a_result_tool_is_preferred_when_a_call_is_forced() -> None:
    tools = [WEATHER, a_function("final_result", answer=STRING)]

    [call] = answer("say hi", tools=tools, tool_choice="required")

    assert (call.name, call.arguments) == ("final_result", '{"answer":"hi"}')


def test_an_agent_that_wants_a_completion_tool_gets_its_last_word_through_it() -> None:
    tools = [*AGENT, a_function("attempt_completion", result=STRING)]

    [call] = answer("say done", tools=tools)

    assert (call.name, call.arguments) == ("attempt_completion", '{"result":"done"}')


def test_a_patch_tool_gets_a_patch() -> None:
    tool = {"type": "custom", "name": "apply_patch", "format": {"type": "text"}}

    [call] = answer("create hello.txt", tools=[tool])

    assert call.custom
    assert call.arguments.startswith("*** Begin Patch\n*** Add File: hello.txt")


def test_another_free_form_tool_gets_text() -> None:
    tool = {"type": "custom", "name": "run_shell", "format": {"type": "text"}}

    [call] = answer("run `pwd`", tools=[tool])

    assert call.arguments == "pwd"


def test_a_namespaced_tool_is_called_with_its_namespace() -> None:
    wrapped = [{"type": "namespace", "name": "functions", "tools": [WEATHER]}]
    body = a_lite_turn("weather in Oslo?", tools=wrapped)

    *_, call = answer_to(check_request(body, {LITE_HEADER: "true"}, ADA))

    assert isinstance(call, Call)
    assert (call.namespace, call.name) == ("functions", "get_weather")


CODE_MODE = {
    "type": "custom",
    "name": "exec",
    "description": "Runs JavaScript: `await tools.exec_command(...)`",
    "format": {"type": "text"},
}
SCRIPTS = [
    ("Read hello.txt", 'text(await tools.exec_command({"cmd":"cat hello.txt"}));'),
    (
        "create a.txt with 'x'",
        'text(await tools.apply_patch("*** Begin Patch\\n*** Add File: a.txt\\n+x\\n*** End Patch\\n"));',
    ),
]


@pytest.mark.parametrize(("prompt", "script"), SCRIPTS)
def test_code_mode_gets_a_script(prompt: str, script: str) -> None:
    [call] = answer(prompt, tools=[CODE_MODE])

    assert call.arguments == script


def test_a_name_that_begins_with_the_word_is_preferred() -> None:
    tools = [a_function("team_read_mailbox"), a_function("read_files", path=STRING)]

    [call] = answer("read hello.txt", tools=tools)

    assert call.name == "read_files"


def test_a_patch_tool_that_is_a_function_gets_a_patch_too() -> None:
    [call] = answer("create a.txt with 'x'", tools=[a_function("apply_patch", input=STRING)])

    assert msgspec.json.decode(call.arguments)["input"].startswith("*** Begin Patch")
