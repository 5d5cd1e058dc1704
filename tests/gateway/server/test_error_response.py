from typing import Any

import pytest
from support.asgi import Sent

from codex_proapi.gateway.errors import (
    AllCooling,
    AllSpent,
    BadRequest,
    InternalFault,
    Overloaded,
    TooLarge,
    UpgradeRefused,
)
from codex_proapi.gateway.formats.openai.errors import error_body
from codex_proapi.gateway.server.error_response import error_headers, internal_fault, send_error


@pytest.mark.parametrize(
    ("error", "headers"),
    [
        (BadRequest("no"), []),
        (Overloaded("full"), [(b"retry-after", b"1")]),
        (AllCooling("busy", retry_after=0.2), [(b"retry-after", b"1")]),
        (AllCooling("busy", retry_after=12.1), [(b"retry-after", b"13")]),
        (AllCooling("busy", retry_after=3600), [(b"retry-after", b"60")]),
        (
            AllSpent("spent", resets_at=1, resets_in=1, plan="plus"),
            [(b"x-should-retry", b"false")],
        ),
        (TooLarge("large"), []),
        (UpgradeRefused("no"), [(b"connection", b"close")]),
    ],
)
def test_an_error_tells_retry_loops_what_to_do(error: Any, headers: Any) -> None:
    assert error_headers(error) == headers


async def test_an_error_becomes_an_answer_of_openais_shape() -> None:
    sent = Sent()

    error = BadRequest("'messages' is required", param="messages")

    await send_error(sent, error, "req_1", error_body=error_body)

    assert sent.status == 400
    assert sent.headers["x-request-id"] == "req_1"
    assert sent.error == {
        "message": "'messages' is required",
        "type": "invalid_request_error",
        "param": "messages",
        "code": None,
    }


def test_our_own_fault_is_told_without_its_cause() -> None:
    fault = internal_fault(ValueError("eyJhbGciOi secret"))

    assert isinstance(fault, InternalFault)
    assert (fault.status, fault.code) == (500, "internal_error")
    assert "secret" not in fault.message
