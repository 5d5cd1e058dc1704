"""One request in both shapes, and its headers."""

from typing import Any

import msgspec
import pytest
from support.account_kinds import BADGE, with_badges

from codex_proapi.commons.accounts.model import Account, Credential
from codex_proapi.commons.codex.identity import Identity
from codex_proapi.gateway.errors import BadRequest
from codex_proapi.gateway.formats.codex.login_headers import LoginHeaders
from codex_proapi.gateway.formats.codex.requests import (
    HEADER_LIMIT,
    Shape,
    Tool,
    UpstreamRequest,
    request_headers,
)
from codex_proapi.gateway.formats.json_pieces import PIECE_BYTES

SESSION = "0f0e0d0c-0000-4000-8000-000000000001"
USER = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}
READ = Tool(type="function", name="read", definition={"type": "function", "name": "read"})
PATCH = Tool(type="custom", name="patch", definition={"type": "custom", "name": "patch"})
SEARCH = Tool(type="web_search", definition={"type": "web_search"})
SPACE = Tool(type="namespace", name="n", definition={"type": "namespace", "name": "n"})


def _request(**fields: Any) -> UpstreamRequest:
    start: dict[str, Any] = {
        "model": "gpt-5.5",
        "shape": Shape.CLASSIC,
        "session_id": SESSION,
        "input": (USER,),
    }
    return UpstreamRequest(**{**start, **fields})


def _wire(request: UpstreamRequest) -> Any:
    return msgspec.json.decode(request.encode())


def test_the_smallest_request_in_both_shapes() -> None:
    request = _request()

    assert _wire(request) == {
        "model": "gpt-5.5",
        "stream": True,
        "instructions": "",
        "input": [USER],
        "store": False,
        "include": ["reasoning.encrypted_content"],
    }
    assert _wire(request.in_shape(Shape.LITE)) == {
        "model": "gpt-5.5",
        "stream": True,
        "input": [USER],
        "tool_choice": "auto",
        "parallel_tool_calls": False,
        "reasoning": {"context": "all_turns"},
        "store": False,
        "include": ["reasoning.encrypted_content"],
    }


def test_keys_stand_in_the_order_of_the_cli() -> None:
    request = _request(
        tools=(READ,),
        parallel_tool_calls=True,
        reasoning={"effort": "low"},
        text={"verbosity": "low"},
        service_tier="priority",
        prompt_cache_key="lane",
        client_metadata={"a": "b"},
    )

    assert list(request.body()) == [
        *("model", "stream", "service_tier", "instructions", "input", "tools", "tool_choice"),
        *("parallel_tool_calls", "reasoning", "store", "include", "prompt_cache_key", "text"),
        "client_metadata",
    ]


def test_instructions_may_be_absent() -> None:
    assert "instructions" not in _request(instructions=None).body()


def test_without_tools_nothing_is_said_about_calling_them() -> None:
    body = _request(tool_choice="required", parallel_tool_calls=True).body()

    assert not {"tools", "tool_choice", "parallel_tool_calls"} & body.keys()


def test_bytes_of_tools_stay_as_they_are() -> None:
    raw = msgspec.Raw(b'{ "b":1.50,"a":"\\u00e9" }')
    request = _request(tools=(Tool(type="function", name="f", definition=raw),))

    assert bytes(raw) in request.encode()
    assert bytes(raw) in request.in_shape(Shape.LITE).encode()


def test_lite_wraps_plain_tools_keeps_namespaces_and_leaves_hosted_ones_out() -> None:
    request = _request(shape=Shape.LITE, tools=(SPACE, READ, SEARCH, PATCH))

    assert _wire(request)["input"][0] == {
        "type": "additional_tools",
        "id": f"at_{SESSION}",
        "role": "developer",
        "tools": [
            {
                "type": "namespace",
                "name": "functions",
                "description": "",
                "tools": [READ.definition, PATCH.definition],
            },
            SPACE.definition,
        ],
    }
    assert _wire(request.in_shape(Shape.CLASSIC))["tools"] == [
        tool.definition for tool in (SPACE, READ, SEARCH, PATCH)
    ]


@pytest.mark.parametrize(
    ("choice", "offered"),
    [
        ("auto", ["read", "patch"]),
        ("required", ["read", "patch"]),
        ("none", []),
        ({"type": "custom", "name": "patch"}, ["patch"]),
        ({"type": "web_search"}, []),
        (
            {
                "type": "allowed_tools",
                "mode": "auto",
                "tools": [{"type": "function", "name": "read"}],
            },
            ["read"],
        ),
        ({"type": "allowed_tools"}, []),
    ],
)
def test_lite_offers_what_the_choice_allows(choice: Any, offered: list[str]) -> None:
    body = _wire(_request(shape=Shape.LITE, tools=(READ, PATCH, SEARCH), tool_choice=choice))
    first = body["input"][0]

    assert [tool["name"] for tool in first.get("tools", [{"tools": []}])[0]["tools"]] == offered
    assert body["tool_choice"] == "auto"


def test_lite_images_have_no_detail() -> None:
    image = {"type": "input_image", "image_url": "https://x/y.png", "detail": "high"}
    bare = {"type": "input_image", "image_url": "https://x/y.png"}
    message = {
        "type": "message",
        "role": "user",
        "content": [{"type": "input_text", "text": "a"}, image],
    }
    output = {"type": "function_call_output", "call_id": "c", "output": [image]}
    odd = {"type": "odd", "content": ["text"], "output": "text"}
    request = _request(input=(message, output, odd))

    assert _wire(request)["input"] == [message, output, odd]
    assert _wire(request.in_shape(Shape.LITE))["input"] == [
        {**message, "content": [{"type": "input_text", "text": "a"}, bare]},
        {**output, "output": [bare]},
        odd,
    ]


def test_a_clients_own_lite_tools_move_to_the_top_level_and_back() -> None:
    inside = {
        "type": "additional_tools",
        "tools": [
            {"type": "namespace", "name": "functions", "tools": [READ.definition]},
            SPACE.definition,
        ],
    }
    empty = {"type": "additional_tools"}
    bare = {"type": "additional_tools", "tools": [{"type": "namespace", "name": "functions"}]}
    request = _request(shape=Shape.LITE, input=(inside, empty, bare, USER))
    classic = request.in_shape(Shape.CLASSIC)

    assert _wire(request)["input"][0] == inside
    assert _wire(classic)["tools"] == [READ.definition, SPACE.definition]
    assert _wire(classic)["input"] == [USER]
    assert _wire(classic.in_shape(Shape.LITE))["input"][0]["tools"] == [
        {**inside["tools"][0], "description": ""},
        SPACE.definition,
    ]


def test_lite_says_instructions_as_the_developer() -> None:
    said = {
        "type": "message",
        "role": "developer",
        "content": [{"type": "input_text", "text": "Be"}],
    }

    assert _wire(_request(shape=Shape.LITE, instructions="Be"))["input"] == [said, USER]


def test_a_call_leaves_the_namespace_its_tool_has_left() -> None:
    own = {"type": "function_call", "call_id": "c", "namespace": "functions", "name": "f"}
    other = {"type": "function_call", "call_id": "d", "namespace": "n", "name": "f"}
    request = _request(shape=Shape.LITE, input=(own, other))

    assert _wire(request)["input"] == [own, other]
    assert _wire(request.in_shape(Shape.CLASSIC))["input"] == [
        {"type": "function_call", "call_id": "c", "name": "f"},
        other,
    ]


def test_the_same_shape_is_the_same_request() -> None:
    request = _request()

    assert request.in_shape(Shape.CLASSIC) is request
    assert (Shape.CLASSIC.other, Shape.LITE.other) == (Shape.LITE, Shape.CLASSIC)


def test_secrets_can_be_left_out() -> None:
    reasoning = {"type": "reasoning", "summary": [], "encrypted_content": "x"}
    compaction = {"type": "compaction", "encrypted_content": "x"}
    told = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "t"}]}
    request = _request(input=(compaction, USER, reasoning, told))

    assert request.without_encrypted().input == (USER, told)
    assert request.input == (compaction, USER, reasoning, told)
    assert request.without_encrypted().without_encrypted().input == (USER, told)


def test_without_secrets_it_is_the_same_request() -> None:
    request = _request()

    assert request.without_encrypted() is request


def test_what_is_nested_too_deeply_is_refused() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]

    with pytest.raises(BadRequest, match="nested too deeply"):
        _request(input=({"type": "odd", "x": deep},)).encode()


class TestHeaders:
    ACCOUNT = Account(id="acc_1", name="n", chatgpt_account_id="workspace")
    CREDENTIAL = Credential(account_id="acc_1", access_token="secret")
    IDENTITY = Identity(originator="codex_cli_rs", version="0.169.0", product_version="1.2")

    def _headers(self, request: UpstreamRequest, **rest: Any) -> dict[str, str]:
        account = rest.pop("account", self.ACCOUNT)
        login = LoginHeaders(self.IDENTITY).of(account, self.CREDENTIAL)
        return {**login.fields, **request_headers(request, **rest)}

    def test_those_of_a_classic_request(self) -> None:
        assert self._headers(_request()) == {
            "authorization": "Bearer secret",
            "content-type": "application/json",
            "accept": "text/event-stream",
            "originator": "codex_cli_rs",
            "user-agent": "codex_cli_rs/0.169.0 (Debian 12.0.0; x86_64) xterm (codex-proapi; 1.2)",
            "version": "0.169.0",
            "session-id": SESSION,
            "thread-id": SESSION,
            "x-client-request-id": SESSION,
            "x-codex-routing-hint": "model=gpt-5.5",
            "chatgpt-account-id": "workspace",
        }

    def test_the_kind_of_an_account_says_how_it_authenticates(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with_badges(monkeypatch)
        account = Account(id="acc_1", name="n", chatgpt_account_id="workspace", kind=BADGE)

        headers = self._headers(_request(), account=account)

        assert headers["x-badge"] == "n secret 0.169.0"
        assert headers["session-id"] == SESSION
        assert "authorization" not in headers
        assert "chatgpt-account-id" not in headers

    def test_what_the_request_and_the_account_add(self) -> None:
        trigger = {"type": "compaction_trigger"}
        request = _request(shape=Shape.LITE, service_tier="priority", input=(USER, trigger))
        account = Account(id="acc_2", name="n", chatgpt_account_id="", fedramp=True)
        headers = self._headers(request, account=account)

        assert headers["x-openai-internal-codex-responses-lite"] == "true"
        assert headers["x-openai-fedramp"] == "true"
        assert headers["x-codex-routing-hint"] == "model=gpt-5.5;tier=priority"
        assert headers["x-codex-beta-features"] == "remote_compaction_v2"
        assert "chatgpt-account-id" not in headers

    def test_a_codex_clients_own_go_along_by_name(self) -> None:
        client = {
            "session-id": "s",
            "thread-id": "t",
            "x-codex-window-id": "w",
            "x-codex-turn-metadata": '{"a":1}',
            "x-codex-beta-features": "b",
            "x-codex-turn-state": "state",
            "authorization": "Bearer ours",
            "originator": "codex_exec",
            "cookie": "c",
        }
        headers = self._headers(_request(), client_headers=client)

        assert headers == {
            **self._headers(_request()),
            "session-id": "s",
            "thread-id": "t",
            "x-codex-window-id": "w",
            "x-codex-turn-metadata": '{"a":1}',
            "x-codex-beta-features": "b",
        }
        assert (
            self._headers(_request(), client_headers=client, turn_state=True)["x-codex-turn-state"]
            == "state"
        )

    @pytest.mark.parametrize("value", ["", "a\r\nb: c", "ä", "x" * (HEADER_LIMIT + 1)])
    def test_values_no_header_can_hold_are_left_out(self, value: str) -> None:
        client = {"x-codex-window-id": value}

        assert self._headers(_request(), client_headers=client) == self._headers(_request())


@pytest.mark.parametrize("shape", Shape)
@pytest.mark.parametrize("count", [0, 1, 20_000])
def test_a_request_in_pieces_has_the_same_bytes(shape: Shape, count: int) -> None:
    request = _request(input=(USER,) * count, shape=shape, tools=(READ,), instructions="Be brief.")

    pieces = list(request.encode_in_pieces())

    assert b"".join(pieces) == request.encode()
    assert max(map(len, pieces)) < 2 * PIECE_BYTES


def test_a_route_s_body_in_pieces_has_the_same_bytes() -> None:
    payload = {"prompt": "a cat", "images": [{"image_url": "data:" + "a" * 3 * PIECE_BYTES}]}
    request = _request(payload=payload, route="images/edits")

    assert b"".join(request.encode_in_pieces()) == request.encode()


def test_a_request_in_pieces_that_is_nested_too_deeply_is_refused() -> None:
    deep: Any = "x"
    for _ in range(100_000):
        deep = [deep]

    with pytest.raises(BadRequest):
        list(_request(input=({**USER, "content": deep},)).encode_in_pieces())
