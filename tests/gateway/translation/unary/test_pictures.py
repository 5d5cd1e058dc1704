"""Pictures of an edit: what is none is refused with its place, before an account is asked."""

import base64
from typing import Any

import pytest
from support.askings import NOBODY, PIXEL

from codex_proapi.commons.codex.model_catalogue import Catalogue
from codex_proapi.gateway.errors import BadRequest
from codex_proapi.gateway.translation.request.image_urls import media_type
from codex_proapi.gateway.translation.request.translated_request import RequestOptions
from codex_proapi.gateway.translation.unary.images import read_edit_request

PNG = base64.b64decode(PIXEL.partition(",")[2])
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00"
WEBP = b"RIFF\x24\x00\x00\x00WEBPVP8 "


def sent(body: Any) -> list[str]:
    """The pictures upstream is sent."""
    translated = read_edit_request(
        body,
        catalogue=Catalogue.built_in(),
        options=RequestOptions(key_id="key_1"),
        client=NOBODY,
    )
    payload = translated.request.payload
    assert payload is not None
    return [each["image_url"] for each in payload["images"]]


def form(*files: bytes, name: str = "image", kind: str = "image/png", head: bytes = b"") -> bytes:
    """A form with a prompt and files of one field."""
    parts = [b'--b\r\nContent-Disposition: form-data; name="prompt"\r\n\r\nx\r\n']
    for file in files:
        disposition = f'form-data; name="{name}"; filename="a.png"'
        told = f"--b\r\nContent-Disposition: {disposition}\r\nContent-Type: {kind}\r\n\r\n"
        parts.append(told.encode() + file + b"\r\n")
    return head + b"".join(parts) + b"--b--\r\n"


def url(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (PNG, "image/png"),
        (JPEG, "image/jpeg"),
        (WEBP, "image/webp"),
        (b"GIF89a..", "image/gif"),
        (b"RIFF....WAVE", None),
        (b"<svg/>", None),
        (b"", None),
    ],
)
def test_a_picture_is_known_by_its_first_bytes(data: bytes, kind: str | None) -> None:
    assert media_type(data) == kind


@pytest.mark.parametrize("told", ["image/png", "application/octet-stream", "text/plain"])
@pytest.mark.parametrize(("data", "kind"), [(PNG, "image/png"), (JPEG, "image/jpeg")])
def test_a_file_is_sent_with_the_type_it_has(told: str, data: bytes, kind: str) -> None:
    assert sent(form(data, kind=told)) == [url(kind, data)]
    assert sent({"prompt": "x", "image": url(told, data)}) == [url(kind, data)]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (form(b"hello"), "image"),
        (form(b""), "image"),
        (form(b"%PDF-1.4", kind="application/pdf"), "image"),
        (form(PNG, b"zzz", name="image[]"), "image.1"),
        ({"prompt": "x", "image": "data:image/png;base64,aGVsbG8gd29ybGQ="}, "image"),
        ({"prompt": "x", "image": "data:image/png;base64,"}, "image.0"),
        ({"prompt": "x", "image": "data:image/png,abc"}, "image"),
        ({"prompt": "x", "image": ["data:image/png;base64,@@@@"]}, "image"),
        (
            {"prompt": "x", "images": [{"image_url": PIXEL}, {"image_url": url("a", b"b")}]},
            "images.1",
        ),
        ({"prompt": "x", "images": [{"file_id": "file_1"}]}, "images.0"),
        (form(), "image"),
        ({"prompt": "x", "images": []}, "images"),
    ],
)
def test_what_is_no_picture_is_named(body: Any, param: str) -> None:
    with pytest.raises(BadRequest) as refused:
        sent(body)

    assert refused.value.param == param


def test_an_address_is_left_to_the_backend() -> None:
    assert sent({"prompt": "x", "image": "https://example.com/a"}) == ["https://example.com/a"]


def test_blank_lines_before_a_form_are_no_part_of_it() -> None:
    assert sent(form(PNG, head=b"\r\n\r\n")) == [PIXEL]


@pytest.mark.parametrize("body", [b"", b"hello", b"prompt=x&image=y", b"--\r\n", b"\r\n--", b"[]"])
def test_what_is_neither_json_nor_a_form_is_told_so(body: bytes) -> None:
    with pytest.raises(BadRequest, match="neither JSON nor a multipart form") as refused:
        sent(body)

    assert (refused.value.param, refused.value.code) == ("body", "invalid_body")
