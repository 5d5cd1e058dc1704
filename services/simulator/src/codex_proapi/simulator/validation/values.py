"""Refusing one value of a request, with the backend's messages for wrong types, names and lengths."""

import re
from typing import Any, NoReturn

from codex_proapi.simulator.state.refusals import Refusal, invalid

_NAME = re.compile(r"[a-zA-Z0-9_-]+")
_MAX_NAME = 64


class Refused(Exception):
    """The request breaks a rule; `refusal` is the answer."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal


def refuse_value(message: str, param: str, code: str = "invalid_value") -> NoReturn:
    """Refuse in the long form."""
    raise Refused(invalid(message, param=param, code=code))


def refuse_missing(param: str) -> NoReturn:
    """Refuse a request that lacks a parameter."""
    refuse_value(f"Missing required parameter: '{param}'.", param, "missing_required_parameter")


def refuse_type(param: str, expected: str, value: Any) -> NoReturn:
    """Refuse a value of the wrong JSON type."""
    refuse_value(
        f"Invalid type for '{param}': expected {expected}, but got {json_type(value)} instead.",
        param,
        "invalid_type",
    )


def json_type(value: Any) -> str:
    """The type of a JSON value in words."""
    names: dict[type, str] = {
        type(None): "null",
        bool: "a boolean",
        int: "an integer",
        float: "a decimal",
        str: "a string",
        list: "an array",
        dict: "an object",
    }
    return names.get(type(value), "something else")


def refuse_unknown_keys(value: dict[str, Any], known: set[str], *, where: str) -> None:
    """Refuse the first key that does not belong there."""
    for key in value:
        if key not in known:
            refuse_value(
                f"Unknown parameter: '{where}.{key}'.", f"{where}.{key}", "unknown_parameter"
            )


def check_name(name: Any, *, where: str) -> None:
    """Refuse a function name the backend could not call."""
    param = f"{where}.name"
    if name is None:
        refuse_missing(param)
    if not isinstance(name, str):
        refuse_type(param, "a string", name)
    check_length(name, param=param, limit=_MAX_NAME)
    if not _NAME.fullmatch(name):
        refuse_value(
            f"Invalid '{param}': string does not match pattern. "
            "Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'.",
            param,
        )


def check_length(text: str, *, param: str, limit: int) -> None:
    """Refuse a string above its limit."""
    if len(text) > limit:
        refuse_value(
            f"Invalid '{param}': string too long. Expected a string with maximum length {limit}, "
            f"but got a string with length {len(text)} instead.",
            param,
            "string_above_max_length",
        )
