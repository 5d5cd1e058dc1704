"""What the request of a turn keeps while its answer is under way."""

from codex_proapi.gateway.auth.client_head import ClientHead
from codex_proapi.gateway.server.body_budget import BodyHold
from codex_proapi.gateway.websocket.session import TurnRequest


async def test_headers_and_body_of_a_turn_are_given_once() -> None:
    request = TurnRequest(
        id="r1",
        head=ClientHead.of({b"originator": b"codex_cli_rs"}),
        more_headers={"x-codex-turn-state": "a state of some KB"},
        body=b"{}",
        watch=lambda _: None,
    )

    assert await request.read_body(BodyHold()) == b"{}"
    head = request.take_head()
    assert head.traits.is_codex
    assert head.headers == {
        "originator": "codex_cli_rs",
        "x-codex-turn-state": "a state of some KB",
    }

    assert await request.read_body(BodyHold()) == b""
    assert request.take_head() == ClientHead()
