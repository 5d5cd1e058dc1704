"""The handshakes, in one piece and byte by byte."""

import pytest

from codex_proapi.commons.proxy.address import parse_proxy
from codex_proapi.commons.proxy.handshake import MOST_HEAD, ProxyFailed, handshake_with

WHOLE, BYTES = False, True


def conversation(
    url: str, answers: list[bytes], *, host: str = "chatgpt.com", cut: bool
) -> list[bytes]:
    """What a client with this proxy sends, up to the open tunnel."""
    handshake = handshake_with(parse_proxy(url), host, 443)
    sent = [handshake.begin()]
    for answer in answers:
        assert not handshake.done
        pieces = [bytes([byte]) for byte in answer] if cut else [answer]
        sent.append(b"".join([handshake.feed(piece) for piece in pieces]))
    assert handshake.done
    return sent


EITHER = pytest.mark.parametrize("cut", [WHOLE, BYTES])


@EITHER
def test_connect_names_the_host_and_the_user(cut: bool) -> None:
    answers = [b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\n"]

    [plain, _] = conversation("http://proxy", answers, cut=cut)
    [known, _] = conversation("https://ada:s%3A%C3%A9@proxy", answers, host="2001:db8::1", cut=cut)

    assert plain == b"CONNECT chatgpt.com:443 HTTP/1.1\r\nhost: chatgpt.com:443\r\n\r\n"
    assert known == (
        b"CONNECT [2001:db8::1]:443 HTTP/1.1\r\nhost: [2001:db8::1]:443\r\n"
        b"proxy-authorization: Basic YWRhOnM6w6k=\r\n\r\n"
    )


@EITHER
def test_socks_lets_the_proxy_resolve_the_name(cut: bool) -> None:
    request = b"\5\1\0\3\x0bchatgpt.com\1\xbb"
    done = b"\5\0\0\1\0\0\0\0\0\0"

    assert conversation("socks5://proxy", [b"\5\0", done], cut=cut) == [b"\5\1\0", request, b""]
    assert conversation("socks5h://ada:pw@proxy", [b"\5\2", b"\1\0", done], cut=cut) == [
        *(b"\5\2\0\2", b"\1\3ada\2pw", request, b""),
    ]
    assert conversation("socks5://ada:pw@proxy", [b"\5\0", done], cut=cut)[1] == request


@EITHER
@pytest.mark.parametrize("bound", [b"\3\5proxy\0\0", b"\4" + bytes(18), b"\3\0\0\0"])
def test_socks_reads_whatever_address_the_proxy_names(bound: bytes, cut: bool) -> None:
    for host, kind in (("10.0.0.1", b"\1\n\0\0\1"), ("::1", b"\4" + bytes(15) + b"\1")):
        answers = [b"\5\0", b"\5\0\0" + bound]
        sent = conversation("socks5://proxy", answers, host=host, cut=cut)
        assert sent[1] == b"\5\1\0" + kind + b"\1\xbb"


@EITHER
@pytest.mark.parametrize(
    ("url", "answer", "said"),
    [
        ("http://p", b"HTTP/1.1 407 By secret\r\n\r\n", "407 authentication required"),
        ("http://p", b"HTTP/1.1 403 X\r\n\r\n", "403 forbidden"),
        ("http://p", b"HTTP/1.1 302 X\r\n\r\n", "302 found"),
        ("http://p", b"HTTP/1.1 777\r\n\r\n", "777"),
        ("http://p", b"HTTP/1.1 20x OK\r\n\r\n", "speaks no HTTP"),
        ("http://p", b"HTTP/1.1\r\n\r\n", "speaks no HTTP"),
        ("http://p", b"\5\xff", "speaks no HTTP"),
        ("http://p", b"HTTP/1.1 200 OK\r\nx: " + b"x" * (MOST_HEAD + 1), "speaks no HTTP"),
        ("http://p", b"HTTP/1.1 200 OK\r\n\r\nx", "sent bytes before the tunnel was used"),
        ("socks5://p", b"HTTP/1.1 400", "speaks no SOCKS5"),
        ("socks5://p", b"\5\xff", "authentication required"),
        ("socks5://a:b@p", b"\5\xff", "password not accepted"),
        ("socks5://p", b"\5\2", "asks for an authentication that is not known here"),
        ("socks5://p", b"\5\1", "asks for an authentication that is not known here"),
        ("socks5://a:b@p", b"\5\2\1\5", "authentication refused"),
        ("socks5://p", b"\5\0\5\2\0", "forbidden"),
        ("socks5://p", b"\5\0\5\x63", "refused with code 99"),
        ("socks5://p", b"\5\0\4", "speaks no SOCKS5"),
        ("socks5://p", b"\5\0\5\0\0\7\0", "speaks no SOCKS5"),
        ("socks5://p", b"\5\0\5\0\0\1\0\0\0\0\0\0x", "sent bytes before the tunnel was used"),
    ],
)
def test_a_refusal_says_what_was_refused(url: str, answer: bytes, said: str, cut: bool) -> None:
    handshake = handshake_with(parse_proxy(url), "chatgpt.com", 443)
    handshake.begin()
    pieces = [bytes([byte]) for byte in answer] if cut else _answers(url, answer)

    with pytest.raises(ProxyFailed) as failed:
        for piece in pieces:
            handshake.feed(piece)

    assert str(failed.value) == said


def _answers(url: str, answer: bytes) -> list[bytes]:
    """An HTTP answer as a whole; the answers of SOCKS5, of which the first two have two bytes."""
    if url.startswith("http"):
        return [answer]
    rest = answer[2:]
    return [answer[:2], rest] if rest else [answer]


@pytest.mark.parametrize("url", ["http://p", "socks5://p"])
def test_a_proxy_that_ends_the_connection_is_told_apart(url: str) -> None:
    handshake = handshake_with(parse_proxy(url), "chatgpt.com", 443)
    handshake.begin()

    with pytest.raises(ProxyFailed, match=r"^closed the connection$"):
        handshake.feed(b"")
