from typing import Any

import pytest
from support.asgi import Sent

from codex_proapi.gateway.api.error_responses import fault_of, headers_of_error, refuse
from codex_proapi.gateway.errors import (
    AllCooling,
    AllSpent,
    BadRequest,
    InternalFault,
    Overloaded,
    TooLarge,
    UpgradeRefused,
)


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
    assert headers_of_error(error) == headers


async def test_an_error_becomes_an_answer_of_openais_shape() -> None:
    sent = Sent()

    await refuse(sent, BadRequest("'messages' is required", param="messages"), "req_1")

    assert sent.status == 400
    assert sent.headers["x-request-id"] == "req_1"
    assert sent.error == {
        "message": "'messages' is required",
        "type": "invalid_request_error",
        "param": "messages",
        "code": None,
    }


def test_our_own_fault_is_told_without_its_cause() -> None:
    fault = fault_of(ValueError("eyJhbGciOi secret"))

    assert isinstance(fault, InternalFault)
    assert (fault.status, fault.code) == (500, "internal_error")
    assert "secret" not in fault.message
