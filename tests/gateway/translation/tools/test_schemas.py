"""Tool schemas: bytes where they serve, mended where upstream would refuse them."""

import json
from typing import Any

import msgspec
import pytest

from codex_proapi.gateway.errors import BadRequest
from codex_proapi.gateway.translation.tools.schemas import (
    PATTERN_CHARACTERS,
    PATTERNS,
    Patterns,
    is_object,
    sound_parameters,
)

EMPTY = {"type": "object", "properties": {}}


def _sound(schema: Any, patterns: Patterns | None = None) -> Any:
    raw = msgspec.Raw(json.dumps(schema).encode())
    found = sound_parameters(raw, "tools[0].parameters", patterns or Patterns())
    return msgspec.json.decode(msgspec.json.encode(found))


@pytest.mark.parametrize(
    "raw", [b'{ "type":"object" , "properties":{ } }', b'{"properties":{"a":1.0},"type":"object"}']
)
def test_a_sound_schema_keeps_its_bytes(raw: bytes) -> None:
    assert bytes(sound_parameters(msgspec.Raw(raw), "p", Patterns())) == raw


@pytest.mark.parametrize("raw", [None, msgspec.Raw(b"null")])
def test_no_schema_is_one_without_parameters(raw: msgspec.Raw | None) -> None:
    assert sound_parameters(raw, "p", Patterns()) == EMPTY


@pytest.mark.parametrize(
    ("schema", "mended"),
    [
        ({}, EMPTY),
        ({"type": "object"}, EMPTY),
        ({"type": None, "properties": None}, EMPTY),
        ({"type": ["object", "null"], "properties": {}}, EMPTY),
        ({"$schema": "https://json-schema.org/x", **EMPTY}, EMPTY),
        ({"type": "object", "properties": []}, EMPTY),
        ({"anyOf": []}, EMPTY),
    ],
)
def test_a_lacking_schema_is_completed(schema: Any, mended: Any) -> None:
    assert _sound(schema) == mended


@pytest.mark.parametrize("schema", [7, "x", [], True])
def test_what_is_no_schema_is_refused(schema: Any) -> None:
    with pytest.raises(BadRequest) as refused:
        _sound(schema)

    assert refused.value.param == "tools[0].parameters"


@pytest.mark.parametrize("kind", ["string", ["null"], 7])
def test_parameters_of_another_type_are_refused(kind: Any) -> None:
    with pytest.raises(BadRequest) as refused:
        _sound({"type": kind})

    assert refused.value.param == "tools[0].parameters.type"


def test_patterns_of_other_engines_are_left_out_wherever_they_are() -> None:
    foreign = {"type": "string", "pattern": r"^(?!x).*$"}
    plain = {"type": "string", "pattern": r"^\d+$"}

    def schema(first: Any) -> Any:
        return {
            "type": "object",
            "properties": {"pattern": first, "b": {"items": first}, "c": {"anyOf": [first, True]}},
            "$defs": {"d": first, "e": plain},
        }

    assert _sound(schema(foreign)) == schema({"type": "string"})


def test_a_property_named_pattern_is_no_pattern() -> None:
    schema = {
        "type": "object",
        "properties": {"pattern": {"type": "string", "description": "like (?=x)"}},
    }

    assert _sound(schema) == schema


def test_an_object_is_told_by_its_first_byte() -> None:
    assert is_object(msgspec.Raw(b"{}"))
    assert not is_object(msgspec.Raw(b"[]"))


@pytest.mark.parametrize(
    "pattern",
    [r"^\u{1F600}$", "(?<year>a)", "(", r"\p{L}", "a{99999999999}", "x" * 5000, "(" * 2000],
)
def test_patterns_that_python_cannot_compile_are_left_out(pattern: str) -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string", "pattern": pattern}},
        "patternProperties": {pattern: {}, "^b": {}},
        "default": {"pattern": pattern},
    }

    assert _sound(schema) == {
        **schema,
        "properties": {"a": {"type": "string"}},
        "patternProperties": {"^b": {}},
    }


def _of_patterns(patterns: list[str]) -> dict[str, Any]:
    properties = {f"p{n}": {"type": "string", "pattern": each} for n, each in enumerate(patterns)}
    return {"type": "object", "properties": properties}


@pytest.mark.parametrize(
    ("patterns", "kept"),
    [
        ([f"^a{n}$" for n in range(PATTERNS + 50)], PATTERNS),
        (["^a$", "^b$"] * PATTERNS, 2 * PATTERNS),
        ([f"{n:01024}" for n in range(50)], PATTERN_CHARACTERS // 1024),
    ],
)
def test_patterns_beyond_the_bounds_of_a_request_are_left_out(
    patterns: list[str], kept: int
) -> None:
    # Compiling one takes 0.1 ms: a megabyte of them held the loop for two seconds.
    halves = (patterns[: len(patterns) // 2], patterns[len(patterns) // 2 :])
    once, again = Patterns(), Patterns()

    found = [_sound(_of_patterns(half), once)["properties"] for half in halves]

    assert sum("pattern" in part for half in found for part in half.values()) == kept
    assert found == [_sound(_of_patterns(half), again)["properties"] for half in halves]


def test_ranges_that_take_the_compiler_long_are_left_out() -> None:
    found = _sound(_of_patterns(["(?i)[\u0100-\uffff]", "(?i)[a-z]", "[\u0100-\uffff]"]))

    assert [part.get("pattern") for part in found["properties"].values()] == [
        None,
        "(?i)[a-z]",
        "[\u0100-\uffff]",
    ]


def test_patterns_that_python_warns_of_stay() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", "pattern": "[[a]"}}}

    assert _sound(schema) == schema


ARRAY = {"type": "array"}
OF_ANYTHING = {"type": "array", "items": {}}


@pytest.mark.parametrize(
    ("part", "mended"),
    [
        (ARRAY, OF_ANYTHING),
        ({"type": ["array", "null"]}, {"type": ["array", "null"], "items": {}}),
        ({"type": "array", "items": None}, OF_ANYTHING),
        ({"type": "array", "items": ARRAY}, {"type": "array", "items": OF_ANYTHING}),
        (
            {"type": "object", "properties": {"items": ARRAY}},
            {"type": "object", "properties": {"items": OF_ANYTHING}},
        ),
        ({"anyOf": [ARRAY, {"type": "null"}]}, {"anyOf": [OF_ANYTHING, {"type": "null"}]}),
    ],
)
def test_an_array_says_of_what(part: Any, mended: Any) -> None:
    assert _sound({"type": "object", "properties": {"a": part}})["properties"]["a"] == mended


def test_a_sound_array_keeps_its_bytes() -> None:
    raw = b'{"type":"object","properties":{"a":{"type":"array","items":{ }}}}'

    assert bytes(sound_parameters(msgspec.Raw(raw), "p", Patterns())) == raw


def test_alternatives_at_the_top_level_become_one_object() -> None:
    text, number = {"type": "string"}, {"type": "number"}
    schema = {
        "type": "object",
        "properties": {"a": text},
        "required": ["a"],
        "anyOf": [
            {"properties": {"b": text}, "required": ["b", "c"]},
            {"properties": {"c": number}, "required": ["c"]},
        ],
        "allOf": [{"properties": {"d": text}, "required": ["d"]}],
        "not": {"required": ["x"]},
        "enum": [{}],
    }

    found = _sound(schema)

    assert found["properties"] == {"a": text, "b": text, "c": number, "d": text}
    assert sorted(found["required"]) == ["a", "c", "d"]
    assert found.keys() == {"type", "properties", "required"}


def test_properties_of_tens_of_thousands_of_alternatives_are_taken_in_once_each() -> None:
    # Copying all that were taken in before with each of them took minutes.
    many: list[Any] = [{"properties": {f"p{n}": {}}} for n in range(60_000)]
    raw = msgspec.Raw(msgspec.json.encode({"type": "object", "anyOf": many}))

    assert len(sound_parameters(raw, "tools[0]", Patterns())["properties"]) == len(many)


@pytest.mark.parametrize(
    ("schema", "sound"),
    [
        (
            {"type": "object", "properties": {"a": None}, "required": None},
            {"type": "object", "properties": {"a": {}}},
        ),
        (
            {
                "type": "object",
                "properties": {"a": {"type": "string", "enum": None, "default": None}},
            },
            {"type": "object", "properties": {"a": {"type": "string", "default": None}}},
        ),
        (
            {"type": "object", "properties": {}, "additionalProperties": None, "description": None},
            {"type": "object", "properties": {}},
        ),
        (
            {"type": "object", "properties": {"a": {"enum": ["x", None]}, "b": {"const": None}}},
            {"type": "object", "properties": {"a": {"enum": ["x", None]}, "b": {"const": None}}},
        ),
    ],
)
def test_keywords_that_are_null_say_nothing(schema: Any, sound: Any) -> None:
    assert _sound(schema) == sound


def test_a_reference_at_the_top_level_is_replaced_by_what_it_names() -> None:
    inner = {"type": "object", "properties": {"a": {"$ref": "#/definitions/B"}}, "required": ["a"]}
    definitions = {"A": inner, "B": {"type": "string"}, "C": {"$ref": "#/definitions/A"}}

    found = _sound({"$ref": "#/definitions/C", "definitions": definitions})

    assert found == {**inner, "definitions": definitions}


@pytest.mark.parametrize("reference", ["#/definitions/gone", "#", "https://x/y", 7, "#/$ref"])
def test_a_reference_that_leads_nowhere_takes_any_arguments(reference: Any) -> None:
    assert _sound({"$ref": reference})["properties"] == {}
