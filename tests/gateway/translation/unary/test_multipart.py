"""Forms as SDKs and scripts send them."""

import pytest

from codex_proapi.gateway.errors import BadRequest
from codex_proapi.gateway.translation.unary.multipart import MOST_PARTS, boundary_of, read_form

PART = b'--b1\r\nContent-Disposition: form-data; name="%b"%b\r\n\r\n%b\r\n'
FILE = b'; filename="a.png"\r\nContent-Type: '


def form(*parts: tuple[bytes, bytes, bytes], end: bytes = b"--b1--\r\n") -> bytes:
    return b"".join(PART % part for part in parts) + end


def test_fields_and_pictures_in_their_order() -> None:
    body = form(
        (b"prompt", b"", "süß".encode()),
        (b"image[]", FILE + b"image/webp", b"\x00\r\n--b\xff"),
        (b"image[1]", FILE + b"text/html", b"{[,"),
    )

    assert boundary_of(body) == "b1"
    found = read_form(body, "b1")
    assert found.fields == {"prompt": "süß"}
    assert found.pictures == {
        "image": ["data:image/webp;base64,AA0KLS1i/w==", "data:image/png;base64,e1ss"]
    }


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"--", b"--b1", b"-- b1\n\r", b"--" + b"x" * 90 + b"\r\n"]
)
def test_what_begins_otherwise_is_no_form(body: bytes) -> None:
    assert boundary_of(body) in (None, " b1")


@pytest.mark.parametrize(
    "body",
    [
        b"--b1\r\n",
        form((b"prompt", b"", b"x"), end=b""),
        form(*[(b"prompt", b"", b"x")] * (MOST_PARTS + 1)),
        form((b"prompt", b"", b"\xff")),
        form((b"prompt", b"", b"x" * 300_000)),
    ],
)
def test_what_is_cut_or_too_much_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest):
        read_form(body, "b1")
