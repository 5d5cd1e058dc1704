"""Logging to stdout: one JSON line per event, readable text on a terminal, secrets redacted.

An event's name states a fact in the past (`credential.refreshed`); everything else is a field. The
log that the console shows is `codex_proapi.commons.usage.log_stream`.
"""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any, Final, TextIO, cast

import msgspec
import structlog

from codex_proapi.commons.runtime.line_writer import TextOutput

TASK_FIELDS: Final[ContextVar[Mapping[str, str]]] = ContextVar(
    "log_fields", default=MappingProxyType({})
)
"""Fields of every line that a task logs, and the tasks it starts; set anew, never changed."""

REDACTED = "[redacted]"
"""Replacement for a secret."""

_SECRET_NAMES = re.compile(
    r"(token|secret|authorization|cookie|password|passphrase|api_?key|encryption_keys?|"
    r"verifier|credential|sealed|pepper|session_?id|user_?code)$|^(key|auth)$",
    re.IGNORECASE,
)
_TWO_FACED_NAMES = frozenset({"code", "state"})
"""An error code or an account's state is a word in small letters; OAuth's are random."""
_WORD = re.compile(r"[a-z][a-z_]{0,63}|[1-5]\d\d|")
_SECRET_SHAPES = re.compile(
    r"eyJ[\w-]{6,}(\.[\w-]*)*"  # a JWT, whole or in part
    r"|\b(rt|at|sk|cpa|ac|sess)[-_][\w.-]{6,}"  # tokens and keys with a prefix
    r"|\bgAAAA[\w=-]{16,}"  # something sealed by Fernet
    r"|\bBearer\s+\S+",
    re.IGNORECASE,
)
_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def configure(level: str = "info", *, stream: TextOutput | None = None) -> None:
    """Set up logging of this process, libraries included.

    A library is heard from WARNING on, whatever the level: below that, HTTP and WebSocket libraries
    write heads and frames, which hold credentials and prompts.

    Args:
        level: The least level that is written.
        stream: Where lines go; None is stdout.
    """
    out: TextOutput = stream or sys.stdout
    readable = out.isatty()
    shared: list[Any] = [
        add_task_fields,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
    ]
    render: Any = (
        structlog.dev.ConsoleRenderer(colors=True)
        if readable
        else structlog.processors.JSONRenderer(serializer=_json)
    )
    threshold = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*shared, render],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", out)),
        cache_logger_on_first_use=False,
    )
    lines = logging.StreamHandler(out)
    lines.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
            foreign_pre_chain=shared,
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [lines]
    root.setLevel(max(threshold, logging.WARNING))


def add_task_fields(
    logger: object, method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Structlog processor: add the task's fields; one that the event itself has stays."""
    del logger, method
    for name, value in TASK_FIELDS.get().items():
        event.setdefault(name, value)
    return event


def redact(
    logger: object, method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Structlog processor: redact secrets and strip control characters in every field."""
    del logger, method
    return {name: _clean(name, value) for name, value in event.items()}


def redacted(text: str) -> str:
    """A text on one line, with everything that looks like a secret replaced."""
    return _CONTROLS.sub(_escape, _SECRET_SHAPES.sub(REDACTED, text))


def _clean(name: str, value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if _SECRET_NAMES.search(name):
        return REDACTED if value else value
    if name in _TWO_FACED_NAMES and not _WORD.fullmatch(str(value)):
        return REDACTED
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, dict):
        return {redacted(str(key)): _clean(str(key), each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean("", each) for each in value]
    return redacted(repr(value))


def _escape(match: re.Match[str]) -> str:
    return match.group().encode("unicode_escape").decode()


def _json(event: Any, **_: Any) -> str:
    return msgspec.json.encode(event).decode()
