from typing import Any

import jsonschema
import pytest

from codex_proapi.simulator.answers.arguments import (
    ArgumentHints,
    apply_patch_text,
    arguments_for,
    value_for,
)


def arguments(prompt: Any = "hi", surroundings: Any = "", **properties: Any) -> Any:
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    made = arguments_for(schema, ArgumentHints(prompt, surroundings=surroundings))
    jsonschema.validate(made, schema)
    return made


STRING = {"type": "string"}
SUGGESTED = [
    ("city", "what is the weather in Oslo?", "Oslo"),
    ("city", "weather please", "Paris"),
    ("path", "read src/main.py", "src/main.py"),
    ("path", "read it", "hello.txt"),
    ("cmd", "run `ls -la`", "ls -la"),
    ("command", "run echo hi there", "echo hi there"),
    ("command", "read hello.txt", "cat hello.txt"),
    ("command", "list the files", "ls"),
    ("command", "delete everything", "echo hello"),
    ("url", "fetch https://example.org/a", "https://example.org/a"),
    ("old_string", "replace foo with bar", "foo"),
    ("new_string", "replace foo with bar", "bar"),
    ("pattern", "find 'needle'", "needle"),
    ("query", "what?", "what?"),
    ("content", 'write "some text"', "some text"),
    ("language", "", "python"),
    ("patchText", "create a.txt", "*** Begin Patch\n*** Add File: a.txt\n+hello\n*** End Patch\n"),
]


@pytest.mark.parametrize(("key", "prompt", "text"), SUGGESTED)
def test_a_string_suits_its_name_and_the_prompt(key: Any, prompt: Any, text: Any) -> None:
    assert arguments(prompt, **{key: STRING}) == {key: text}


FOLDERS = [
    "Working directory: /home/ada/work",
    "<cwd>/home/ada/work</cwd>",
    "I'm currently working in the directory: /home/ada/work\nHere",
    "</workspace></description>  Workspace root folder: /home/ada/work",
]


@pytest.mark.parametrize("surroundings", FOLDERS)
def test_a_path_is_absolute_where_the_folder_is_known(surroundings: str) -> None:
    made = arguments("read a.txt", surroundings, filePath=STRING)

    assert made == {"filePath": "/home/ada/work/a.txt"}


def test_a_folder_is_the_working_one() -> None:
    made = arguments("list", "<cwd>/home/ada</cwd>", dirpath=STRING)

    assert made == {"dirpath": "/home/ada"}


def test_a_command_may_be_a_list() -> None:
    array = {"type": "array", "items": STRING}

    assert arguments(command=array) == {"command": ["bash", "-lc", "echo hello"]}


def test_only_what_is_required_is_made() -> None:
    schema = {"type": "object", "properties": {"a": STRING, "b": STRING}, "required": ["b"]}

    assert arguments_for(schema, ArgumentHints("hi")) == {"b": "example"}


def test_a_schema_that_is_no_object_gives_none() -> None:
    assert arguments_for({"type": "string"}, ArgumentHints("hi")) == {}


FITTING = [
    {"type": "integer", "minimum": 3, "maximum": 9},
    {"type": "integer", "exclusiveMinimum": 3},
    {"type": "number", "multipleOf": 0.5},
    {"type": "boolean"},
    {"type": "null"},
    {"type": ["string", "null"]},
    {"enum": ["a", "b"]},
    {"const": 7},
    {"anyOf": [{"type": "null"}, {"type": "integer"}]},
    {"oneOf": [{"type": "string"}]},
    {"allOf": [{"type": "object", "properties": {"a": STRING}, "required": ["a"]}]},
    {"type": "array", "items": {"type": "integer"}, "minItems": 3},
    {"type": "array", "prefixItems": [STRING, {"type": "integer"}]},
    {"type": "string", "format": "date-time"},
    {"type": "string", "format": "uuid"},
    {"type": "string", "minLength": 20, "maxLength": 25},
    {"type": "string", "maxLength": 2},
    {"type": "string", "pattern": "^[A-Z]{2}$"},
    {"type": "string", "pattern": "^\\d{5}$"},
    {"type": "string", "default": "provided"},
    {"properties": {"x": {"type": "integer"}}, "required": ["x"]},
    {"items": STRING},
    {},
    {
        "$ref": "#/$defs/node",
        "$defs": {
            "node": {
                "type": "object",
                "properties": {
                    "name": STRING,
                    "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}},
                },
                "required": ["name", "tags"],
            },
            "tag": {"type": "string", "enum": ["x"]},
        },
    },
]


@pytest.mark.parametrize("schema", FITTING)
def test_a_value_fits_its_schema(schema: Any) -> None:
    jsonschema.validate(value_for(schema, ArgumentHints("give me 5 things")), schema)


def test_a_schema_that_never_ends_is_left() -> None:
    loop = {
        "type": "object",
        "properties": {"next": {"$ref": "#"}},
        "required": ["next"],
    }

    assert value_for(loop, ArgumentHints("hi"))["next"]["next"]


def test_an_option_the_prompt_names_is_taken() -> None:
    assert arguments("in fahrenheit", unit={"enum": ["celsius", "fahrenheit"]}) == {
        "unit": "fahrenheit"
    }


def test_a_number_in_the_prompt_is_used() -> None:
    assert arguments("wait 7 seconds", seconds={"type": "integer"}) == {"seconds": 7}


def test_a_patch_adds_the_quoted_text() -> None:
    assert apply_patch_text(ArgumentHints('create notes.md with "a\nb"')) == (
        "*** Begin Patch\n*** Add File: notes.md\n+a\n+b\n*** End Patch\n"
    )
