"""Large JSON is decoded in steps, to what one call gives."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_proapi.gateway.formats import json_steps

STEP = 64

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=300),
    lambda inner: st.lists(inner, max_size=8) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=40,
)


@pytest.fixture(autouse=True)
def _short_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_steps, "STEP_BYTES", STEP)


@given(value=VALUES, escaped=st.booleans(), spaced=st.booleans())
def test_steps_give_what_one_call_gives(value: Any, escaped: bool, spaced: bool) -> None:
    data = json.dumps(
        value, ensure_ascii=escaped, separators=(" , ", " : ") if spaced else (",", ":")
    ).encode()

    assert json_steps.decode(data) == msgspec.json.decode(data)


@pytest.mark.parametrize(
    "text",
    [
        "a" * 999,
        "\n" * 999,
        "你好" * 400,
        "😀" * 400,
        '\\"' * 500,
        "line one\n" * 99,
        "\\\n" * 400,
        "",
    ],
)
@pytest.mark.parametrize("escaped", [True, False])
def test_a_long_string_is_whole(text: str, escaped: bool) -> None:
    for before in range(14):
        value = ["x" * before + text]
        data = json.dumps(value, ensure_ascii=escaped).encode()

        assert json_steps.decode(data) == value


@pytest.mark.parametrize(
    "data",
    [
        b'["' + b"a" * 200,
        b'["' + b"a" * 200 + b'"',
        b'["' + b"a" * 200 + b'"]]',
        b'["' + b"a" * 200 + b"\x00" + b'"]',
        b'["' + b"a" * 200 + b"\\q" + b"a" * 200 + b'"]',
        b'["' + b"a" * 200 + b'",]',
        b'{"a":"' + b"a" * 200 + b'",}',
        b'{"a" "' + b"a" * 200 + b'"}',
        b'"' + b"a" * 200 + b'" x"',
        b'["' + b"a" * 200 + b"\xff" + b"a" * 200 + b'"]',
        b'["' + b"a" * 200 + b"\\ud83d" + b"a" * 200 + b'"]',
        b"[" + b"1 2," * 99 + b"3]",
    ],
)
def test_what_one_call_refuses_is_refused(data: bytes) -> None:
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
        msgspec.json.decode(data)
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
        json_steps.decode(data)


def test_one_call_decodes_no_more_than_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    decoder = msgspec.json.Decoder()

    class Watched:
        def decode(self, raw: bytes) -> Any:
            sizes.append(len(memoryview(raw)))
            return decoder.decode(raw)

    monkeypatch.setattr(json_steps, "_VALUE", Watched())
    text = {"role": "user", "content": [{"type": "input_text", "text": "hello " * 200}] * 3}
    value = [text] * 20 + [{"role": "user", "content": "short"}] * 500

    assert json_steps.decode(json.dumps(value).encode()) == value
    assert max(sizes) <= STEP + 64
    assert len(sizes) > 500


def test_deep_nesting_costs_no_more_than_its_levels(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_through: list[int] = []
    decode_items = json_steps._ITEMS.decode

    class Counted:
        def decode(self, raw: bytes) -> list[msgspec.Raw]:
            looked_through.append(1)
            return decode_items(raw)

    monkeypatch.setattr(json_steps, "_ITEMS", Counted())
    data = b"[" * 200 + b'"' + b"a" * 500 + b'"' + b"]" * 200

    assert json_steps.decode(data) == msgspec.json.decode(data)
    assert len(looked_through) == json_steps.STEPPED_LEVELS


@pytest.mark.parametrize("text", ["line one\n", "\\\n", "é\\\\\t", 'say "no" '])
def test_a_text_of_many_escapes_is_cut(text: str) -> None:
    quoted = memoryview(json.dumps(text * 99, ensure_ascii=False).encode())

    assert STEP - 12 <= json_steps._cut(quoted, STEP, len(quoted) - 1) < STEP + 32
