"""Content parts of every shape, as upstream takes them."""

import json
from typing import Any

import pytest
from support.askings import PIXEL, assistant, call, user

from codex_proapi.gateway.errors import BadRequest
from codex_proapi.gateway.formats.codex.input_items import output_part, text_part
from codex_proapi.gateway.translation.dropped_parameters import Dropped
from codex_proapi.gateway.translation.request.context import TranslationContext
from codex_proapi.gateway.translation.request.image_urls import normal_image_url
from codex_proapi.gateway.translation.request.parts import (
    assistant_text,
    each_part,
    input_part,
    joined_text,
    kind_of,
    says_json,
)
from codex_proapi.gateway.translation.request.tool_results import tool_output
from codex_proapi.gateway.translation.tools.tool_names import ToolNames

PDF = "data:application/pdf;base64,JVBERi0="


def _reading(**rest: Any) -> TranslationContext:
    return TranslationContext(names=ToolNames(), dropped=Dropped(), **rest)


def _text(text: str) -> dict[str, str]:
    return {"type": "input_text", "text": text}


@pytest.mark.parametrize(
    ("part", "found"),
    [
        ({"type": "text", "text": "a", "cache_control": {}, "prompt_cache_breakpoint": 1}, _text("a")),
        ({"type": "input_text", "text": "a"}, _text("a")),
        ({"type": "output_text", "text": "a", "annotations": []}, _text("a")),
        ({"text": "a"}, _text("a")),
        ({"type": "text", "text": ""}, None),
        ({"type": "text", "text": None}, None),
        ({"type": "refusal", "refusal": "no"}, _text("no")),
        ({"type": "refusal"}, None),
        ({"type": "thinking", "thinking": "hm", "signature": "x"}, None),
        ({"type": "image_url", "image_url": {"url": PIXEL}}, {"type": "input_image", "image_url": PIXEL}),
        (
            {"type": "image_url", "image_url": {"url": "https://x/y", "detail": "high"}},
            {"type": "input_image", "image_url": "https://x/y", "detail": "high"},
        ),
        ({"image_url": "https://x/y"}, {"type": "input_image", "image_url": "https://x/y"}),
        (
            {"type": "input_image", "image_url": PIXEL, "detail": "low"},
            {"type": "input_image", "image_url": PIXEL, "detail": "low"},
        ),
        ({"type": "input_image", "file_id": "file_1"}, {"type": "input_image", "file_id": "file_1"}),
        (
            {"type": "image", "source": {"type": "base64", "media_type": "image/gif", "data": "R0lG"}},
            {"type": "input_image", "image_url": "data:image/gif;base64,R0lG"},
        ),
        (
            {"type": "image", "source": {"type": "url", "url": "https://x/y"}},
            {"type": "input_image", "image_url": "https://x/y"},
        ),
        (
            {"type": "file", "file": {"file_data": PDF, "filename": "a.pdf"}},
            {"type": "input_file", "filename": "a.pdf", "file_data": PDF},
        ),
        (
            {"file": {"file_data": "JVBERi0="}},
            {"type": "input_file", "filename": "document.pdf", "file_data": PDF},
        ),
        (
            {"type": "input_file", "file_data": PDF, "filename": "a.pdf"},
            {"type": "input_file", "filename": "a.pdf", "file_data": PDF},
        ),
        ({"type": "input_file", "file_id": "file_1"}, {"type": "input_file", "file_id": "file_1"}),
        (
            {"type": "document", "title": "T", "source": {"type": "base64", "data": "JVBERi0="}},
            {"type": "input_file", "filename": "T", "file_data": PDF},
        ),
        ({"type": "document", "source": {"type": "text", "data": "words"}}, _text("words")),
        (
            {"type": "image", "data": "R0lG", "mimeType": "image/gif"},
            {"type": "input_image", "image_url": "data:image/gif;base64,R0lG"},
        ),
        (
            {"type": "media", "data": "R0lG", "mediaType": "image/gif"},
            {"type": "input_image", "image_url": "data:image/gif;base64,R0lG"},
        ),
        (
            {"type": "image", "data": "iVBO"},
            {"type": "input_image", "image_url": "data:image/png;base64,iVBO"},
        ),
        (
            {"type": "media", "data": "JVBERi0=", "mediaType": "application/pdf"},
            {"type": "input_file", "filename": "document.pdf", "file_data": PDF},
        ),
        (
            {"type": "image", "image": "https://x/y"},
            {"type": "input_image", "image_url": "https://x/y"},
        ),
        ({"type": "odd", "text": "words"}, _text("words")),
        ({"type": "odd", "x": 1}, _text('{"type":"odd","x":1}')),
    ],
)  # fmt: skip
def test_a_part_of_input(part: Any, found: Any) -> None:
    assert input_part(part, "p", _reading()) == found


@pytest.mark.parametrize(
    ("part", "param"),
    [
        ({"type": "text", "text": 7}, "p.text"),
        ({"type": "image_url", "image_url": {}}, "p"),
        ({"type": "image_url", "image_url": "file:///etc/passwd"}, "p"),
        ({"type": "image_url", "image_url": ""}, "p"),
        ({"type": "image", "source": {"type": "url"}}, "p"),
        ({"type": "file", "file": {"file_id": "file_1"}}, "p.file.file_id"),
        ({"type": "file", "file": {}}, "p.file_data"),
        ({"type": "input_file", "file_url": "https://x/y.pdf"}, "p.file_data"),
        ({"type": "document", "source": {"type": "base64"}}, "p.source.data"),
        ({"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}, "p.type"),
        ({"type": "video_url", "video_url": "x" * 9000}, "p.type"),
    ],
)
def test_a_part_that_upstream_cannot_have_is_refused(part: Any, param: str) -> None:
    with pytest.raises(BadRequest) as refused:
        input_part(part, "p", _reading())

    assert refused.value.param == param


def test_audio_goes_to_models_that_take_it() -> None:
    part = {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}

    assert input_part(part, "p", _reading(audio=True)) == part


def test_what_was_left_out_or_shown_as_text_is_noted() -> None:
    reading = _reading()
    input_part({"type": "image_url", "image_url": {"url": PIXEL, "detail": "huge"}}, "p", reading)
    input_part({"type": "odd"}, "p", reading)
    input_part({"type": 7}, "p", reading)
    assistant_text({"type": "image_url"}, "p", reading)

    assert reading.dropped.names == (
        "image.detail",
        "content.odd",
        "content.unknown",
        "assistant.image_url",
    )


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ({"type": "text", "text": "a"}, "a"),
        ({"text": "a"}, "a"),
        ({"type": "refusal", "refusal": "no"}, "no"),
        ({"type": "thinking", "thinking": "hm"}, ""),
        ({"type": "image_url", "image_url": PIXEL}, ""),
        ({"type": "file", "file": {}}, ""),
        ({"type": "odd", "x": 1}, '{"type":"odd","x":1}'),
    ],
)
def test_what_an_assistants_part_says(part: Any, text: str) -> None:
    assert assistant_text(part, "p", _reading()) == text


BYTES = PIXEL.partition(",")[2]


class TestToolOutput:
    IMAGE = f'[{{"type":"image_url","image_url":{{"url":"{PIXEL}"}}}},{{"type":"text","text":"a"}}]'

    @pytest.mark.parametrize(
        ("content", "output"),
        [
            ("text", "text"),
            ("", ""),
            (None, ""),
            ([], ""),
            ([{"type": "text", "text": ""}], ""),
            ([{"type": "text", "text": "a"}, "b"], [_text("a"), _text("b")]),
            ([{"type": "output_text", "text": "a"}], [_text("a")]),
            ([{"type": "resource", "x": 1}, 7], [_text('{"type":"resource","x":1}'), _text("7")]),
            (
                [{"type": "resource", "resource": {"uri": "file:///a", "text": "T"}}],
                [_text("[resource file:///a]\nT")],
            ),
            (
                [{"type": "resource", "resource": {"blob": BYTES, "mimeType": "image/png"}}],
                [{"type": "input_image", "image_url": PIXEL}],
            ),
            (
                [{"type": "resource", "resource": {"uri": "u", "blob": "AAAA"}}],
                [_text('{"type":"resource","resource":{"uri":"u","blob":"AAAA"}}')],
            ),
            (
                [{"type": "image", "image": BYTES, "mediaType": "image/png"}],
                [{"type": "input_image", "image_url": PIXEL}],
            ),
            (
                [{"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}}],
                [{"type": "input_image", "image_url": PIXEL, "detail": "low"}],
            ),
            ({"type": "text", "text": "a"}, [_text("a")]),
            ({"type": "text", "text": ""}, ""),
            ({"a": 1}, '{"a":1}'),
            (7, "7"),
            (False, "false"),
        ],
    )
    def test_a_result(self, content: Any, output: Any) -> None:
        assert tool_output(content, _reading()) == output

    def test_a_result_that_is_wholly_parts_with_images_is_unpacked(self) -> None:
        assert tool_output(self.IMAGE, _reading()) == [
            {"type": "input_image", "image_url": PIXEL},
            _text("a"),
        ]

    @pytest.mark.parametrize(
        "text",
        [
            '[{"type":"text","text":"an image"}]',
            '[{"type":"image_url","image_url":"https://x"},7]',
            '[{"type":"image_url","image_url":"https://x"},{"type":"odd"}]',
            '[{"type":"image_url","image_url":"nothing"}]',
            '[{"type":"image_url"',
            '[{"a":"image"}]',
        ],
    )
    def test_any_other_text_stays_as_it_is(self, text: str) -> None:
        assert tool_output(text, _reading()) == text


def test_text_has_one_part_for_each_side() -> None:
    assert (text_part("a"), output_part("a")) == (_text("a"), {"type": "output_text", "text": "a"})


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (None, []),
        ("", [{"type": "text", "text": ""}]),
        ({"type": "x"}, [{"type": "x"}]),
        (["a", {"type": "x"}], [{"type": "text", "text": "a"}, {"type": "x"}]),
    ],
)
def test_the_parts_of_any_content(content: Any, parts: Any) -> None:
    assert list(each_part(content, "c")) == parts


@pytest.mark.parametrize(("content", "param"), [(7, "c"), ([7], "c[0]"), (["a", None], "c[1]")])
def test_content_that_is_none_is_refused(content: Any, param: str) -> None:
    with pytest.raises(BadRequest) as refused:
        list(each_part(content, "c"))

    assert refused.value.param == param


def test_text_is_joined_by_paragraphs() -> None:
    content = ["a", {"type": "text", "text": "b"}, {"type": "image"}, {"text": None}]

    assert joined_text(content, "c") == "a\n\nb"


@pytest.mark.parametrize(
    ("part", "kind"),
    [
        ({"type": "x"}, "x"),
        ({"text": "a"}, "text"),
        ({"file": {}}, "file"),
        ({}, ""),
        ({"type": 7}, ""),
    ],
)
def test_a_part_without_a_type_is_told_by_what_it_holds(part: Any, kind: str) -> None:
    assert kind_of(part) == kind


@pytest.mark.parametrize(
    ("url", "mended"),
    [
        (PIXEL, PIXEL),
        ("http://x/y_z-a.png", "http://x/y_z-a.png"),
        ("HTTPS://x/y", "HTTPS://x/y"),
        ("data:image/svg+xml,<svg/>", "data:image/svg+xml,<svg/>"),
        ("data:image/png;base64", "data:image/png;base64"),
        ("data:image/png;base64,ab-_\ncd\r\n", "data:image/png;base64,ab+/cd=="),
        ("data:image/png;base64,abc", "data:image/png;base64,abc="),
        ("data:image/png;base64,ab=", "data:image/png;base64,ab=="),
    ],
)
def test_base64_of_images_is_mended(url: str, mended: str) -> None:
    assert normal_image_url(url, "p") == mended


@pytest.mark.parametrize(
    ("items", "says"),
    [
        ([user("Give JSON")], True),
        ([assistant("json")], True),
        ([call("c", "json")], False),
        ([], False),
    ],
)
def test_whether_somebody_said_json(items: Any, says: bool) -> None:
    assert says_json(items) is says


def test_an_image_says_nothing() -> None:
    image = {"type": "input_image", "image_url": "json"}

    assert not says_json([{"type": "message", "role": "user", "content": [image]}])


MCP_IMAGE = {"type": "image", "data": "R0lG", "mimeType": "image/gif"}
GIF = {"type": "input_image", "image_url": "data:image/gif;base64,R0lG"}


@pytest.mark.parametrize(
    "content",
    [
        [MCP_IMAGE],
        MCP_IMAGE,
        json.dumps([MCP_IMAGE]),
        json.dumps(MCP_IMAGE),
        json.dumps([MCP_IMAGE], indent=1),
        json.dumps({"content": [MCP_IMAGE], "isError": False}),
        json.dumps([{"type": "media", "data": "R0lG", "mediaType": "image/gif"}]),
    ],
)
def test_images_of_tools_are_images_however_they_are_written(content: Any) -> None:
    assert tool_output(content, _reading()) == [GIF]


@pytest.mark.parametrize(
    "text",
    [
        '{"type":"image","x":1}',
        '[{"type":"image","data":"R0lG"},{"a":1}]',
        '[{"type":"text","text":"image"}]',
        '{"content":[{"type":"image","data":"R0lG"}],"other":1}',
    ],
)
def test_json_that_is_not_wholly_parts_stays_text(text: str) -> None:
    assert tool_output(text, _reading()) == text


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image"},
        {"type": "input_audio", "input_audio": {"data": "x", "format": "wav"}},
        {"type": "file", "file": {"file_id": "file_1"}},
        {"type": "media", "data": "AAAA", "mediaType": "audio/wav"},
    ],
)
def test_a_part_of_a_result_that_cannot_be_read_is_shown_as_text(part: Any) -> None:
    assert tool_output([part], _reading()) == [_text(json.dumps(part, separators=(",", ":")))]


def test_bytes_nobody_can_read_are_not_poured_into_the_prompt() -> None:
    long = {"type": "media", "data": "A" * 9000, "mediaType": "audio/wav"}
    [found] = list(tool_output([long], _reading()))

    assert found == _text(
        '{"type":"media","data":"[9000 characters left out]","mediaType":"audio/wav"}'
    )
