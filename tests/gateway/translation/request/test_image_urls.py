"""Addresses of images as clients write them: mended where the bytes are an image, refused where not."""

import base64

import pytest
from support.askings import PIXEL

from codex_proapi.gateway.errors import BadRequest
from codex_proapi.gateway.translation.dropped_parameters import Dropped
from codex_proapi.gateway.translation.request.context import TranslationContext
from codex_proapi.gateway.translation.request.image_urls import normal_image_url
from codex_proapi.gateway.translation.request.tool_results import tool_output
from codex_proapi.gateway.translation.tools.tool_names import ToolNames

BYTES = PIXEL.partition(",")[2]
JPEG = base64.b64encode(b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x00").decode()


@pytest.mark.parametrize("told", ["image", "application/octet-stream", "text/plain", "image/", ""])
def test_a_media_type_that_is_none_of_an_image_is_mended(told: str) -> None:
    assert normal_image_url(f"data:{told};base64,{BYTES}", "p") == PIXEL
    assert normal_image_url(f"data:{told};base64,{JPEG}", "p") == f"data:image/jpeg;base64,{JPEG}"
    url_safe = JPEG.replace("/", "_").replace("+", "-")
    assert normal_image_url(f"data:{told};base64,{url_safe}", "p").endswith(JPEG)


@pytest.mark.parametrize(
    "url",
    [
        PIXEL,
        "data:image/heic;base64,AAAA",
        "data:image/svg+xml,%3Csvg/%3E",
        "https://example.com/a",
    ],
)
def test_what_may_be_an_image_is_left_as_it_is(url: str) -> None:
    assert normal_image_url(url, "p") == url


@pytest.mark.parametrize(
    "url",
    [
        *("", "nothing", "file:///a.png", "data:image/png;base64,", "data:;base64,"),
        *(
            "data:text/plain;base64,aGk=",
            "data:image;base64,@@@@",
            "data:application/pdf;base64,JVBE",
        ),
    ],
)
def test_what_is_no_image_is_refused(url: str) -> None:
    with pytest.raises(BadRequest) as refused:
        normal_image_url(url, "p")

    assert refused.value.param == "p"


def test_the_bytes_of_what_is_no_image_are_no_text_of_a_result() -> None:
    url = f"data:text/plain;base64,{'A' * 20_000}"
    part = {"type": "image_url", "image_url": {"url": url, "detail": "low"}}
    reading = TranslationContext(names=ToolNames(), dropped=Dropped())

    found = tool_output([part], reading)

    assert isinstance(found, list)
    assert "characters left out" in found[0]["text"]
    assert len(found[0]["text"]) < 200
