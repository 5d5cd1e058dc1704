"""Selects the format of errors outside of the dialects' routes, by the client's headers and path."""

from collections.abc import Iterable
from typing import Final

from codex_proapi.gateway.api.dialects.messages import MESSAGES
from codex_proapi.gateway.api.paths import PREFIXES
from codex_proapi.gateway.formats.anthropic import errors as anthropic
from codex_proapi.gateway.formats.openai import errors as openai
from codex_proapi.gateway.server.asgi import Header, Scope
from codex_proapi.gateway.server.error_response import ErrorBody

VERSION_HEADER: Final = b"anthropic-version"
"""What every client of Anthropic's API sends."""
_PATHS: Final = tuple(f"{prefix}{MESSAGES.path}" for prefix in PREFIXES)
"""How paths begin that only Anthropic's API has: messages, their counting and batches."""


def is_anthropic(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a client of Anthropic's API asks."""
    return any(name == VERSION_HEADER for name, _ in headers)


def speaks_anthropic(scope: Scope) -> bool:
    """Whether a request is of Anthropic's API, by its headers or its path."""
    return is_anthropic(scope["headers"]) or scope["path"].startswith(_PATHS)


def id_headers_for(scope: Scope, request_id: str) -> list[Header]:
    """The request's id where the client's SDK looks for it, beside `x-request-id`."""
    name = MESSAGES.id_header
    return [(name, request_id.encode())] if name and speaks_anthropic(scope) else []


def error_body_for(scope: Scope) -> ErrorBody:
    """The format of errors that the client of a request reads."""
    if speaks_anthropic(scope):
        return anthropic.error_body
    return openai.error_body
