"""Errors are told in the shape of the API that the client speaks."""

import json

from codex_proapi.gateway.api.error_shapes import error_body_for, is_anthropic
from codex_proapi.gateway.errors import BadKey

THEIRS = [(b"host", b"x"), (b"anthropic-version", b"2023-06-01")]


def test_clients_of_anthropics_api_are_known_by_their_version() -> None:
    assert is_anthropic(THEIRS)
    assert not is_anthropic([(b"host", b"x")])


def test_shape() -> None:
    error = BadKey("No.")

    assert json.loads(error_body_for(THEIRS)(error, request_id="req_1"))["request_id"] == "req_1"
    assert json.loads(error_body_for([])(error, request_id="req_1")).keys() == {"error"}
