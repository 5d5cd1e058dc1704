import tomllib
from typing import Any

import msgspec
import pytest

from codex_proapi.console.views.snippets import CLIENTS, KEY, Step, snippets

BASE, MODEL = "https://pool.example/v1", "gpt-6-sol"
ALL = {each.id: each for each in snippets(base_url=BASE, model=MODEL, key="cpa-secret")}


def _code(step: Step) -> str:
    return "".join(text for text, _ in step.parts)


def _codes(client: str) -> list[str]:
    return [_code(step) for step in ALL[client].steps]


def test_every_client_is_there_in_the_order_of_the_page() -> None:
    assert list(ALL) == list(CLIENTS)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_gets_address_model_and_key(client: Any) -> None:
    whole = "\n".join(_codes(client))

    assert BASE in whole
    # Cline offers the names of Anthropic's models only; they are families here.
    assert ("claude-opus" if client == "cline-anthropic" else MODEL) in whole
    assert "cpa-secret" in whole


@pytest.mark.parametrize("client", CLIENTS)
def test_no_slot_is_left_open(client: Any) -> None:
    assert not any(
        slot in code for code in _codes(client) for slot in ("{base_url}", "{model}", "{key}")
    )


def test_slots_are_marked_so_that_the_page_can_fill_them_anew() -> None:
    slots = {
        (slot, text)
        for each in ALL.values()
        for step in each.steps
        for text, slot in step.parts
        if slot
    }

    assert slots == {("base_url", BASE), ("model", MODEL), ("key", "cpa-secret")}


def test_codex_gets_a_configuration_it_can_read() -> None:
    config = tomllib.loads(_codes("codex")[0])

    assert config["model_provider"] == "codex-proapi"
    provider = config["model_providers"]["codex-proapi"]
    assert (provider["base_url"], provider["wire_api"]) == (BASE, "responses")
    assert provider["env_key"] in _codes("codex")[1]


def test_opencode_gets_a_configuration_it_can_read() -> None:
    config = msgspec.json.decode(_codes("opencode")[0])

    provider = config["provider"]["codex-proapi"]
    assert provider["options"] == {"baseURL": BASE, "apiKey": "cpa-secret"}
    assert config["model"] == f"codex-proapi/{MODEL}"


def test_python_code_compiles() -> None:
    compile(_codes("python")[1], "hello.py", "exec")


def test_curl_sends_valid_json() -> None:
    body = _codes("curl")[0].split("-d '")[1].removesuffix("'")

    assert msgspec.json.decode(body)["model"] == MODEL


def test_cursor_says_that_a_private_address_will_not_work() -> None:
    assert "reachable from the internet" in ALL["cursor"].warning


def test_until_there_is_a_key_a_word_stands_for_it() -> None:
    (first, *_) = snippets(base_url=BASE, model=MODEL)

    assert (KEY, "key") in first.steps[1].parts
