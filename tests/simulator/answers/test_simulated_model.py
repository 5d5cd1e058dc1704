from typing import Any

import jsonschema
import msgspec
import pytest
from support.requests_upstream import a_function, a_message, a_turn

from codex_proapi.simulator.answers.parts import Call, Compaction, Reasoning, Search
from codex_proapi.simulator.answers.simulated_model import answer_to
from codex_proapi.simulator.state.accounts import SimulatedAccount
from codex_proapi.simulator.validation.request_rules import check_request

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


ECHOES = [
    ("say hello", "hello"),
    ("Echo: 'quoted'", "quoted"),
    ("Please repeat back the following: a b", "a b"),
    ("Reply with exactly OK", "OK"),
    ("answer only with yes", "yes"),
    ("respond with: fine", "fine"),
    ("count to 4", "1 2 3 4"),
    ("write 3 words", "alpha bravo sample"),
    ("what is this?", "You said: what is this?"),
    ("", "Hello! What can I do for you?"),
]


@pytest.mark.parametrize(("prompt", "text"), ECHOES)
def test_it_says_what_it_is_told(prompt: Any, text: Any) -> None:
    assert says(prompt) == text


def test_it_thinks_only_aloud_when_a_summary_is_asked() -> None:
    quiet = answer_to(check_request(a_turn("hi"), {}, ADA))
    aloud = answer_to(check_request(a_turn("hi", reasoning={"summary": "auto"}), {}, ADA))

    assert quiet[0] == Reasoning(summary=())
    assert isinstance(aloud[0], Reasoning)
    assert len(aloud[0].summary) == 1


def test_it_refuses_when_the_prompt_says_so() -> None:
    [words] = answer("[[refuse]] please")

    assert words.refusal


def test_structured_output_fits_its_schema() -> None:
    schema = {"type": "object", "properties": {"city": STRING}, "required": ["city"]}
    form = {"type": "json_schema", "name": "a", "schema": schema}

    text = says("where is it? in Oslo", text={"format": form})

    jsonschema.validate(msgspec.json.decode(text), schema)


def test_a_json_object_is_one() -> None:
    text = says("say json", text={"format": {"type": "json_object"}})

    assert msgspec.json.decode(text) == {"answer": "json"}


def test_a_hosted_search_is_shown_and_cited() -> None:
    search, words = answer("search the web for cats", tools=[{"type": "web_search"}])

    assert isinstance(search, Search)
    assert words.citation == "https://example.com/"


def test_commentary_comes_before_a_call() -> None:
    words, call = answer("[[commentary]] weather?", tools=[a_function("get_weather")])

    assert words.phase == "commentary"
    assert isinstance(call, Call)


def test_a_trigger_is_answered_with_a_compaction() -> None:
    items = [a_message("long talk"), {"type": "compaction_trigger"}]

    assert answer("x", input=items) == [Compaction(text="long talk\n")]
