"""Translates content parts of every known shape into upstream parts.

Chat, Responses and Anthropic parts are recognised by their own type, never by the route. Which
item the parts belong to is decided in `message_items` and `items`.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from codex_proapi.gateway.errors import BadRequest
from codex_proapi.gateway.formats.codex.input_items import Part, text_part
from codex_proapi.gateway.formats.codex.requests import Item
from codex_proapi.gateway.translation.request.context import TranslationContext
from codex_proapi.gateway.translation.request.image_urls import normal_image_url

TEXT_TYPES = frozenset({"text", "input_text", "output_text"})
IMAGE_TYPES = frozenset({"image_url", "input_image", "image", "image-url"})
FILE_TYPES = frozenset({"file", "input_file", "document"})
MEDIA_TYPES = frozenset({"media", "image-data", "file-data"})
"""Bytes with a media type, as the Vercel AI SDK writes them in tool results."""
THOUGHT_TYPES = frozenset({"thinking", "redacted_thinking", "reasoning", "reasoning_text"})
"""Reasoning without encrypted content, which cannot be replayed; left out."""

_OBJECTS = frozenset({dict})
_TEXT_TYPES = tuple(TEXT_TYPES)
"""As a tuple, for a client's type may be anything, also what has no hash."""
_DETAILS = frozenset({"low", "high", "auto", "original"})
_SEND_FILE = "Files by id or address are not available here: send the file itself as 'file_data'"
_SEND_SOURCE = (
    "Content by id or address is not available here: send it itself, with a source of type "
    "'base64' or 'text'"
)
_BASE64 = re.compile(r"[A-Za-z0-9+/]{64}", re.ASCII)
_BASE64_LOOKED_AT = 64
"""Characters by which base64 without a `data:` head is told from an address, which has a colon."""
_MEDIA_TYPE_FIELDS = ("mimeType", "mediaType", "mime_type", "media_type")
FALLBACK_LIMIT = 8192
"""Characters of an unknown part up to which it is sent as text; a longer one is refused."""


def kind_of(part: Part) -> str:
    """Return a part's type, derived from its fields if it has none."""
    kind = part.get("type")
    if isinstance(kind, str):
        return kind
    if kind is None:
        return next((name for name in ("text", "image_url", "file") if name in part), "")
    return ""


def each_part(content: Any, where: str) -> Iterable[Part]:
    """Return the parts of any legal content: a string, a list, one part, or nothing.

    Raises BadRequest for other content, when what is wrong with it is reached.
    """
    if isinstance(content, list) and _OBJECTS.issuperset(map(type, content)):
        return content
    return _each_part(content, where)


def text_parts(content: Any, kind: str) -> list[Part]:
    """Return a list of text, and nothing else, as parts of a type; empty for any other content.

    Its texts are what `input_part` and `assistant_text` give for each of them.
    """
    if not isinstance(content, list) or not content:
        return []
    # Calls and results stand behind texts.
    last = content[-1]
    if not isinstance(last, dict) or last.get("type") not in _TEXT_TYPES:
        return []
    parts: list[Part] = []
    for part in content:
        text = part.get("text") if isinstance(part, dict) else None
        if not isinstance(text, str) or part.get("type") not in _TEXT_TYPES:
            return []
        if text:
            parts.append({"type": kind, "text": text})
    return parts


def _each_part(content: Any, where: str) -> Iterator[Part]:
    match content:
        case None:
            return
        case str():
            yield {"type": "text", "text": content}
        case dict():
            yield content
        case list():
            for index, part in enumerate(content):
                yield part if isinstance(part, dict) else _one_part(part, f"{where}[{index}]")
        case _:
            raise BadRequest("Content must be a string or a list of parts", param=where)


def input_part(part: Part, where: str, reading: TranslationContext) -> Part | None:
    """Return a part of a user, developer or tool message for upstream; None to leave it out."""
    kind = kind_of(part)
    if kind in TEXT_TYPES:
        text = _text(part, "text", where)
        return text_part(text) if text else None
    if kind in THOUGHT_TYPES:
        return None
    if reader := _READERS.get(kind):
        reading.text_only = False
        return reader(part, where, reading)
    return text_part(_fallback(part, where, reading))


def assistant_text(part: Part, where: str, reading: TranslationContext) -> str:
    """Return an assistant's part as text, the only content upstream accepts from an assistant."""
    kind = kind_of(part)
    if kind in TEXT_TYPES:
        return _text(part, "text", where)
    if kind == "refusal":
        return _text(part, "refusal", where)
    if kind in THOUGHT_TYPES:
        return ""
    if kind in IMAGE_TYPES or kind in FILE_TYPES or kind in MEDIA_TYPES:
        reading.dropped.add(f"assistant.{kind}")
        return ""
    return _fallback(part, where, reading)


def joined_text(content: Any, where: str) -> str:
    """Return all text of some content, its parts separated by blank lines."""
    texts = (_text(part, "text", where) for part in each_part(content, where) if "text" in part)
    return "\n\n".join(text for text in texts if text)


def says_json(items: Iterable[Item]) -> bool:
    """Whether a message contains the word JSON, which upstream requires for `json_object`."""
    parts = (part for item in items if item["type"] == "message" for part in item["content"])
    return any("json" in part.get("text", "").lower() for part in parts)


def _one_part(part: Any, where: str) -> Part:
    """Return a part that is no object. Raises BadRequest for other than a string."""
    if isinstance(part, str):
        return {"type": "text", "text": part}
    raise BadRequest("A content part must be an object", param=where)


def _text(part: Part, field: str, where: str) -> str:
    text = part.get(field)
    if text is None:
        return ""
    if isinstance(text, str):
        return text
    raise BadRequest("Text must be a string", param=f"{where}.{field}")


def _refusal(part: Part, where: str, _: TranslationContext) -> Part | None:
    text = _text(part, "refusal", where)
    return text_part(text) if text else None


def _image(part: Part, where: str, reading: TranslationContext) -> Part | None:
    """Read `image_url` (string or object), `input_image` and Anthropic's `image`."""
    if isinstance(part.get("source"), dict):
        return _sourced_image(part["source"], where)
    if isinstance(part.get("data"), str):
        return _media(part, where, reading)
    found = part.get("image_url") or part.get("image") or part.get("url")
    if isinstance(found, str) and _BASE64.fullmatch(found, 0, _BASE64_LOOKED_AT):
        return _media({**part, "data": found}, where, reading)
    detail = part.get("detail")
    if isinstance(found, dict):
        detail = found.get("detail", detail)
        found = found.get("url")
    image: Part = {"type": "input_image"}
    if found is None and isinstance(part.get("file_id"), str):
        image["file_id"] = part["file_id"]
    else:
        image["image_url"] = normal_image_url(found, where)
    if isinstance(detail, str) and detail in _DETAILS:
        image["detail"] = detail
    elif detail is not None:
        reading.dropped.add("image.detail")
    return image


def _media(part: Part, where: str, _: TranslationContext) -> Part | None:
    """Read bytes with a media type: MCP's `image` (`data`, `mimeType`) and `MEDIA_TYPES`."""
    data = part.get("data")
    kind = _told_type(part)
    if not isinstance(data, str) or not data:
        raise BadRequest("The part's bytes are missing", param=f"{where}.data")
    url = data if data.startswith("data:") else f"data:{kind or 'image/png'};base64,{data}"
    if url.startswith("data:image/"):
        return {"type": "input_image", "image_url": normal_image_url(url, f"{where}.data")}
    if url.startswith("data:application/pdf"):
        return _file_part(url, part.get("filename"))
    raise BadRequest(
        "Content of this media type is not supported",
        code="unsupported_value",
        param=f"{where}.mimeType",
    )


def _told_type(part: Part) -> str:
    """The media type that a part tells; empty if it tells none."""
    return next((part[name] for name in _MEDIA_TYPE_FIELDS if isinstance(part.get(name), str)), "")


def _resource(part: Part, where: str, reading: TranslationContext) -> Part | None:
    """Read MCP's embedded resource: its text under its address, or its bytes."""
    found = part.get("resource")
    if isinstance(found, dict) and isinstance(found.get("text"), str):
        uri = found.get("uri")
        head = f"[resource {uri}]\n" if isinstance(uri, str) and uri else ""
        return text_part(head + found["text"])
    if isinstance(found, dict) and isinstance(found.get("blob"), str) and _told_type(found):
        return _media({**found, "data": found["blob"]}, f"{where}.resource", reading)
    return text_part(_fallback(part, where, reading))


def _sourced_image(source: Part, where: str) -> Part:
    url = source.get("url")
    if source.get("type") == "file":
        raise BadRequest(
            "Images by id are not available here: send the image as base64, or its address",
            code="unsupported_value",
            param=f"{where}.source.file_id",
        )
    if source.get("type") == "base64":
        if not isinstance(source.get("data"), str) or not source["data"]:
            raise BadRequest("The image's bytes are missing", param=f"{where}.source.data")
        url = f"data:{source.get('media_type') or 'image/png'};base64,{source.get('data')}"
    return {"type": "input_image", "image_url": normal_image_url(url, where)}


def _file(part: Part, where: str, reading: TranslationContext) -> Part | None:
    """Read chat's `file`, `input_file` and Anthropic's `document`."""
    if isinstance(part.get("source"), dict):
        return _sourced_file(part, where)
    nested = part.get("file")
    found = nested if isinstance(nested, dict) else part
    data, name = found.get("file_data"), found.get("filename")
    if data is None and found is part and isinstance(part.get("data"), str):
        return _media(part, where, reading)
    if isinstance(data, str) and data:
        return _file_part(data, name)
    if found is nested and found.get("file_id"):
        raise BadRequest(_SEND_FILE, code="unsupported_value", param=f"{where}.file.file_id")
    if isinstance(found.get("file_id"), str):
        return {"type": "input_file", "file_id": found["file_id"]}
    raise BadRequest(_SEND_FILE, code="unsupported_value", param=f"{where}.file_data")


def _sourced_file(part: Part, where: str) -> Part:
    source: Part = part["source"]
    data = source.get("data")
    if source.get("type") == "text" and isinstance(data, str):
        return text_part(data)
    if not isinstance(data, str) or not data:
        raise BadRequest(_SEND_SOURCE, code="unsupported_value", param=f"{where}.source.data")
    kind = source.get("media_type") or "application/pdf"
    return _file_part(f"data:{kind};base64,{data}", part.get("title"))


def _file_part(data: str, name: Any) -> Part:
    if not data.startswith("data:"):
        data = f"data:application/pdf;base64,{data}"
    named = name if isinstance(name, str) and name else "document.pdf"
    return {"type": "input_file", "filename": named, "file_data": data}


def _audio(part: Part, where: str, reading: TranslationContext) -> Part | None:
    if not reading.audio:
        raise BadRequest(
            "The model does not take audio", code="unsupported_parameter", param=f"{where}.type"
        )
    return {"type": "input_audio", "input_audio": part.get("input_audio")}


def _fallback(part: Part, where: str, reading: TranslationContext) -> str:
    """Return an unknown part as JSON text. Raises BadRequest beyond `FALLBACK_LIMIT`."""
    text = part["text"] if isinstance(part.get("text"), str) else json_text(part)
    if len(text) > FALLBACK_LIMIT:
        raise BadRequest(
            "Content of this type is not supported", code="unsupported_value", param=f"{where}.type"
        )
    reading.dropped.add(f"content.{kind_of(part) or 'unknown'}")
    return text


def json_text(value: Any) -> str:
    """Return a value as JSON text for the model."""
    return msgspec.json.encode(value).decode()


_Reader = Callable[[Part, str, TranslationContext], Part | None]
_READERS: dict[str, _Reader] = {
    "refusal": _refusal,
    "input_audio": _audio,
    "resource": _resource,
    **dict.fromkeys(IMAGE_TYPES, _image),
    **dict.fromkeys(FILE_TYPES, _file),
    **dict.fromkeys(MEDIA_TYPES, _media),
}
KNOWN = TEXT_TYPES | THOUGHT_TYPES | _READERS.keys()
