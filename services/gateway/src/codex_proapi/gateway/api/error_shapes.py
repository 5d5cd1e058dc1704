"""Selects the format of errors outside of the dialects' routes, by the client's headers."""

from collections.abc import Iterable
from typing import Final

from codex_proapi.gateway.formats.anthropic import errors as anthropic
from codex_proapi.gateway.formats.openai import errors as openai
from codex_proapi.gateway.server.error_response import ErrorBody

VERSION_HEADER: Final = b"anthropic-version"
"""What every client of Anthropic's API sends."""


def is_anthropic(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a client of Anthropic's API asks."""
    return any(name == VERSION_HEADER for name, _ in headers)


def error_body_for(headers: Iterable[tuple[bytes, bytes]]) -> ErrorBody:
    """The shape of errors that a client reads."""
    return anthropic.error_body if is_anthropic(headers) else openai.error_body
