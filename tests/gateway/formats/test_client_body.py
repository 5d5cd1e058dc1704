"""Bodies read tolerantly, tools left as bytes."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_proapi.gateway.errors import BadRequest
from codex_proapi.gateway.formats import client_body
from codex_proapi.gateway.formats.client_body import (
    ClientBody,
    asked_of,
    decode_body,
    tool_value,
)


def test_values_are_decoded_and_nulls_are_absent() -> None:
    body = decode_body(b' { "model" : "m", "n": 1, "stop": null, "tools": null } ')

    assert body == ClientBody(values={"model": "m", "n": 1}, names=("model", "n"))


def test_tools_stay_bytes() -> None:
    body = decode_body(b'{"tools":[{"type":"function","x":{ "a" : 1.0 }}],"functions":[]}')

    assert bytes(body.tools[0]["x"]) == b'{ "a" : 1.0 }'
    assert tool_value(body.tools[0], "type") == "function"
    assert tool_value(body.tools[0], "name") is None
    assert body.functions == ()


def test_a_mapping_is_read_through_its_json_form() -> None:
    provided: dict[str, Any] = {"messages": [{"role": "user"}]}
    body = decode_body(provided)

    assert body.values == provided
    assert body.values["messages"] is not provided["messages"]


@pytest.mark.parametrize("provided", [{"a": {1, 2j}}, {"a": "\ud800"}])
def test_a_mapping_that_is_no_json_is_refused(provided: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        decode_body(provided)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (rb'{"a":"\ud83d"}', "\ufffd"),
        (rb'{"a":"x\ud83d y"}', "x\ufffd y"),
        (rb'{"a":"\ude00"}', "\ufffd"),
        (rb'{"a":"\ud83d\ud83d\ude00"}', "\ufffd\U0001f600"),
        (rb'{"a":"\ud83d\ude00"}', "\U0001f600"),
        (rb'{"a":"\\ud83d is code, \ud83d is none"}', "\\ud83d is code, \ufffd is none"),
    ],
)
def test_half_an_emoji_is_replaced(body: bytes, text: str) -> None:
    assert decode_body(body).values == {"a": text}


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'{"a":"\xff"}', b'{"tools":[{"a":"\xff"}]}'],
)
def test_what_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest) as refused:
        decode_body(body)

    assert refused.value.param == "body"


@pytest.mark.parametrize("name", ["tools", "functions"])
@pytest.mark.parametrize("value", [b"7", b"{}", b"[7]", b"[null]"])
def test_tools_that_are_no_list_of_objects_are_refused(name: str, value: bytes) -> None:
    with pytest.raises(BadRequest) as refused:
        decode_body(b'{"%b":%b}' % (name.encode(), value))

    assert refused.value.param == name


def test_what_is_nested_too_deeply_is_refused() -> None:
    with pytest.raises(BadRequest, match="deeply"):
        decode_body(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}")


def test_values_of_a_kind() -> None:
    body = ClientBody(values={"text": "t", "flag": True, "table": {"a": 1}})

    assert (body.text("text"), body.text("none")) == ("t", None)
    assert (body.flag("flag"), body.flag("none")) == (True, False)
    assert (body.table("table"), body.table("none")) == ({"a": 1}, {})


@pytest.mark.parametrize("kind", ["text", "flag", "table"])
def test_values_of_another_kind_are_refused(kind: str) -> None:
    with pytest.raises(BadRequest) as refused:
        getattr(ClientBody(values={"x": 7}), kind)("x")

    assert refused.value.param == "x"


def test_only_fields_that_are_read_are_decoded() -> None:
    body = decode_body(
        b'{"model":"m","metadata":{"a":[{},{}]},"x":1e999}', read=frozenset({"model"})
    )

    assert body.values == {"model": "m"}
    assert body.names == ("model", "metadata", "x")


def test_a_byte_order_mark_is_no_part_of_a_body() -> None:
    assert decode_body(b'\xef\xbb\xbf{"model":"m"}').values == {"model": "m"}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
def test_a_body_in_another_encoding_is_told_so(encoding: str) -> None:
    with pytest.raises(BadRequest, match="not UTF-8, but UTF-16") as refused:
        decode_body('{"model":"m"}'.encode(encoding))

    assert refused.value.param == "body"


@pytest.mark.parametrize("value", ["1e400", "[-1e400]", '{"a":1e400}'])
def test_a_number_that_nothing_can_hold_names_its_field(value: str) -> None:
    with pytest.raises(BadRequest, match="'n' cannot be read: Number out of range") as refused:
        decode_body(f'{{"model":"m","n":{value}}}'.encode())

    assert refused.value.param == "n"


@pytest.mark.parametrize(
    ("body", "asked"),
    [
        (b'{"model":"m","stream":true,"messages":"x"}', ("m", True)),
        (b'{"messages":[],"model":"m"}', ("m", False)),
        (b'{"model":7,"stream":"yes"}', ("", False)),
        (b'{"model":null}', ("", False)),
        (b'{"model":', ("", False)),
        (b'["m"]', ("", False)),
        (b'{"model":"\xff"}', ("", False)),
        (b"", ("", False)),
    ],
)
def test_a_refused_body_tells_the_model_where_it_can(body: bytes, asked: tuple[str, bool]) -> None:
    assert asked_of(body) == asked


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)
_NAMES = st.sampled_from(["model", "messages", "n", "tools", "functions", "x", "\u0074ools"])
_ODD = st.sampled_from(
    [
        *(b'{"n":1e400}', b'{"x":1e400,"n":1}', b'{"x":"\\ud83d"}', b'{"n":"\\ud83d"}'),
        *(b'{"x":"\xff","n":1}', b'{"n":"\xff"}', b'{"n":1,"n":2}', b'{"n":1,"n":null}', b"[]"),
        *(b"", b"{", b'{"n":1}x', b'{"\\u0074ools":[{"a": 1}]}', b'{"tools":1}', b'{"n": null }'),
        *(b'{"tools":[],"n":1}', b'{"tools":[{"a":1}],"functions":[{}],"n":1}', b'{"functions":0}'),
        *(b'{"tools":[],"tools":[{"a":1}]}', b'{"tools":[{"a":1}],"tools":null}', b'{"tools":{}}'),
        *(b"[" * 5000, b'{"x":' + b"[" * 5000 + b"]" * 5000 + b"}"),
    ]
)
_READ = st.none() | st.just(frozenset({"model", "messages", "n"}))


def _outcome(body: bytes, read: frozenset[str] | None) -> object:
    try:
        return decode_body(body, read=read)
    except BadRequest as error:
        return str(error), error.param


@given(st.dictionaries(_NAMES, _VALUES).map(msgspec.json.encode) | _ODD, _READ)
def test_a_short_body_decoded_at_once_is_as_one_decoded_by_its_fields(
    body: bytes, read: frozenset[str] | None
) -> None:
    at_once = _outcome(body, read)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(client_body, "SHORT_BYTES", -1)
        by_fields = _outcome(body, read)

    assert at_once == by_fields
