"""Errors are told in the shape of the API that the client speaks."""

import json
from typing import Any

from codex_proapi.gateway.api.error_shapes import error_body_for, is_anthropic
from codex_proapi.gateway.errors import BadKey

THEIRS = [(b"host", b"x"), (b"anthropic-version", b"2023-06-01")]


def test_clients_of_anthropics_api_are_known_by_their_version() -> None:
    assert is_anthropic(THEIRS)
    assert not is_anthropic([(b"host", b"x")])


def test_shape() -> None:
    error = BadKey("No.")

    def told(path: str, headers: list[tuple[bytes, bytes]]) -> dict[str, Any]:
        body = error_body_for({"type": "http", "path": path, "headers": headers})
        return json.loads(body(error, request_id="req_1"))  # type: ignore[no-any-return]

    assert told("/v1/models", THEIRS)["request_id"] == "req_1"
    assert told("/v1/messages/batches", [])["type"] == "error"
    assert told("/messages", [])["type"] == "error"
    assert told("/v1/models", []).keys() == {"error"}
