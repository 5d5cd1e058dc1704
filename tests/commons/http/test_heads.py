import httptools
import pytest

from codex_proapi.commons.http.connection.heads import (
    STATUS_LINES,
    Framing,
    Header,
    HeadRefused,
    RequestHead,
    framed_lines,
    header_lines,
    read_framing,
    read_head,
    remembered_lines,
)

HOST: Header = (b"host", b"gateway")


def test_lines_have_the_headers_in_their_order() -> None:
    lines = header_lines([(b"x-one", b"1"), (b"x-two", b"a\tb \xff")])

    assert lines == b"x-one: 1\r\nx-two: a\tb \xff\r\n"


def test_what_is_remembered_of_headers_is_what_they_are() -> None:
    headers = ((b"content-length", b"12"), (b"x-one", b"1"))

    for _ in range(2):
        assert remembered_lines(headers) == framed_lines(headers)
        assert framed_lines(headers) == (read_framing(headers), header_lines(headers))


@pytest.mark.parametrize(
    ("status", "line"),
    [(404, b"HTTP/1.1 404 Not Found\r\n"), (599, b"HTTP/1.1 599 \r\n")],
)
def test_a_status_without_a_name_is_fine(status: int, line: bytes) -> None:
    assert STATUS_LINES[status] == line


@pytest.mark.parametrize(
    "header",
    [
        (b"x", b"a\r\ny: b"),
        (b"x", b"a\nb"),
        (b"x", b"a\rb"),
        (b"x", b"\x00"),
        (b"x", b"\x7f"),
        (b"x y", b"a"),
        (b"", b"a"),
        (b"x\r\ny", b"a"),
        (b"x: y\r\nz", b"a"),
        (b"x\xe9", b"a"),
    ],
)
def test_what_would_begin_another_header_or_end_the_head_is_refused(
    header: tuple[bytes, bytes],
) -> None:
    with pytest.raises(ValueError, match="header"):
        header_lines([(b"host", b"x"), header])


@pytest.mark.parametrize(
    ("headers", "framing"),
    [
        ([], (None, 0, False)),
        ([(b"content-length", b"12")], (False, 12, False)),
        ([(b"transfer-encoding", b"Chunked")], (True, 0, False)),
        ([(b"content-length", b"12"), (b"transfer-encoding", b"chunked")], (True, 0, False)),
        ([(b"connection", b"keep-alive, Close")], (None, 0, True)),
    ],
)
def test_headers_say_how_a_body_ends(
    headers: list[tuple[bytes, bytes]], framing: tuple[bool | None, int, bool]
) -> None:
    assert read_framing(headers) == Framing(*framing)


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        (b"/v1/models?limit=1", ("/v1/models", b"/v1/models", b"limit=1")),
        (b"/a%20b", ("/a b", b"/a%20b", b"")),
        (b"http://host/path", ("/path", b"/path", b"")),
        (b"/" + b"a" * 500, ("/" + "a" * 500, b"/" + b"a" * 500, b"")),
    ],
)
def test_a_url_is_path_and_query(url: bytes, parts: tuple[str, bytes, bytes]) -> None:
    for _ in range(2):  # also when it is remembered
        head = read_head(b"GET", url, "1.1", [HOST], None)
        assert (head.path, head.raw_path, head.query) == parts


@pytest.mark.parametrize("url", [b"no url", b"/\xff"])
def test_what_is_no_url_is_refused(url: bytes) -> None:
    with pytest.raises((httptools.HttpParserError, UnicodeDecodeError)):
        read_head(b"GET", url, "1.1", [HOST], None)


@pytest.mark.parametrize(
    ("version", "hosts", "fine"),
    [
        ("1.1", [b"gateway"], True),
        ("1.1", [b""], True),
        ("1.1", [], False),
        ("1.1", [b"gateway", b"gateway"], False),
        ("1.0", [], True),
        ("1.0", [b"gateway"], True),
        ("1.0", [b"gateway", b"gateway"], False),
    ],
)
def test_a_request_names_one_host(version: str, hosts: list[bytes], *, fine: bool) -> None:
    headers = [(b"accept", b"*/*"), *((b"host", host) for host in hosts)]
    if fine:
        head = read_head(b"POST", b"/x", version, headers, ("::1", 2))
        assert head == RequestHead("POST", "/x", b"/x", b"", version, headers, ("::1", 2))
    else:
        with pytest.raises(HeadRefused):
            read_head(b"POST", b"/x", version, headers, None)


@pytest.mark.parametrize(
    ("values", "waits"),
    [
        ([], False),
        ([b"100-Continue"], True),
        ([b"other"], False),
        ([b"other", b"100-continue"], True),
    ],
)
def test_a_head_says_whether_its_client_waits_for_100(values: list[bytes], *, waits: bool) -> None:
    headers = [HOST, *((b"expect", value) for value in values)]

    assert read_head(b"POST", b"/", "1.1", headers, None).expects_continue == waits
