from support.asgi import Sent

from codex_proapi.gateway.server.asgi import headers_of, send_response
from codex_proapi.gateway.server.common_headers import CORS_HEADERS


def test_headers_become_a_mapping_and_its_last_word_counts() -> None:
    scope = {"headers": [(b"a", b"1"), (b"b", b"2"), (b"a", b"3")]}

    assert headers_of(scope) == {b"a": b"3", b"b": b"2"}


async def test_an_answer_has_its_id_its_length_and_the_cors_headers() -> None:
    sent = Sent()

    await send_response(sent, 418, b"{}", request_id="req_1", headers=[(b"x-more", b"y")])

    assert sent.status == 418
    assert sent.body == b"{}"
    assert sent.headers == {
        "content-type": "application/json",
        "content-length": "2",
        "x-request-id": "req_1",
        "access-control-allow-origin": "*",
        "access-control-expose-headers": dict(CORS_HEADERS)[
            b"access-control-expose-headers"
        ].decode(),
        "x-more": "y",
    }
