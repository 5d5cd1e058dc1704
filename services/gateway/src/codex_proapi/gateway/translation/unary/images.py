"""Reads requests for images, generated or edited, as OpenAI's API has them.

Sent are the fields that the CLI's own image tool sends (openai/codex, `codex-api`, images, 2026):
the backend answers in one piece, with base64, after one or two minutes.
"""

import codecs
import re
from collections.abc import Mapping
from typing import Any, Final

from codex_proapi.commons.codex.model_catalogue import Catalogue
from codex_proapi.gateway.errors import BadRequest, UnknownModel
from codex_proapi.gateway.formats.client_body import ClientBody, decode_body
from codex_proapi.gateway.formats.codex.input_items import message
from codex_proapi.gateway.formats.codex.requests import Item, Shape, UpstreamRequest
from codex_proapi.gateway.translation.history.fingerprints import fingerprint, session_uuid
from codex_proapi.gateway.translation.request.request_reader import DECODING_ERRORS, unreadable
from codex_proapi.gateway.translation.request.translated_request import (
    Basis,
    ClientTraits,
    RequestOptions,
    TranslatedRequest,
)
from codex_proapi.gateway.translation.unary.answer import UnaryOptions
from codex_proapi.gateway.translation.unary.multipart import boundary_of, read_form
from codex_proapi.gateway.translation.unary.pictures import checked_pictures, listed_pictures

GENERATIONS: Final = "images/generations"
EDITS: Final = "images/edits"
IMAGE_MODEL: Final = "gpt-image-2"
"""The backend's image model; asked for in place of older ones."""
_NAME: Final = re.compile(r"(?:openai/)?((?:chatgpt-image|gpt-image|dall-e)[A-Za-z0-9.-]{0,64})")
_BEFORE_JSON: Final = codecs.BOM_UTF8 + b" \t\r\n"
"""What may stand before JSON."""
_SENT: Final = ("n", "size", "quality", "background")
_READ: Final = frozenset(
    {"model", "prompt", "stream", "response_format", "image", "images", "mask", *_SENT}
)


def read_generation_request(
    body: bytes | Mapping[str, Any],
    *,
    catalogue: Catalogue,  # noqa: ARG001 - a dialect's signature
    options: RequestOptions,
    client: ClientTraits,
) -> TranslatedRequest:
    """Return the upstream request for `POST /v1/images/generations`. Raises BadRequest, UnknownModel."""
    try:
        return _translated(decode_body(body), GENERATIONS, [], options, client)
    except DECODING_ERRORS:
        raise unreadable() from None


def read_edit_request(
    body: bytes | Mapping[str, Any],
    *,
    catalogue: Catalogue,  # noqa: ARG001 - as above
    options: RequestOptions,
    client: ClientTraits,
) -> TranslatedRequest:
    """Return the upstream request for `POST /v1/images/edits`, from JSON or a multipart form.

    Raises:
        BadRequest: the body is malformed, a picture is none, or it wants what the backend does not
            have (a mask).
        UnknownModel: the model is no image model.
    """
    try:
        boundary = boundary_of(body) if isinstance(body, bytes) else None
        if boundary is None or not isinstance(body, bytes):
            if isinstance(body, bytes) and body.lstrip(_BEFORE_JSON)[:1] != b"{":
                raise BadRequest(
                    "The body is neither JSON nor a multipart form that begins with its boundary",
                    code="invalid_body",
                    param="body",
                )
            asked = decode_body(body)
            pictures = listed_pictures(asked)
        else:
            form = read_form(body, boundary)
            asked = decode_body(form.fields)
            pictures = form.pictures.get("image") or form.pictures.get("images") or []
            if "mask" in form.pictures:
                raise _without_mask()
        if asked.values.get("mask") is not None:
            raise _without_mask()
        field = "image" if asked.values.get("images") is None else "images"
        return _translated(asked, EDITS, checked_pictures(pictures, field), options, client)
    except DECODING_ERRORS:
        raise unreadable() from None


def _translated(
    asked: ClientBody,
    route: str,
    pictures: list[str],
    options: RequestOptions,
    client: ClientTraits,
) -> TranslatedRequest:
    prompt = asked.text("prompt")
    if not prompt:
        raise BadRequest("'prompt' is required", code="missing_required_parameter", param="prompt")
    _refuse_impossible(asked)
    name = asked.text("model") or IMAGE_MODEL
    payload: dict[str, Any] = {"prompt": prompt, **_options(asked)}
    if pictures:
        payload["images"] = [{"image_url": url} for url in pictures]
    conversation = fingerprint(options.key_id, f"lane {client.session or 'images'}")
    request = UpstreamRequest(
        model=_model(name),
        shape=Shape.CLASSIC,
        session_id=session_uuid(conversation),
        input=(_as_item(prompt, pictures),),
        route=route,
        payload=payload,
    )
    return TranslatedRequest(
        request=request,
        asked_model=name[:128],
        stream=False,
        answer=UnaryOptions(listed="data"),
        dropped=tuple(f for f in asked.names if f not in _READ and f.isidentifier())[:32],
        fingerprint_source=conversation if client.session else "",
        basis=Basis(
            key_id=options.key_id,
            history_mode=options.history_mode,
            verbatim=False,
            lane=client.session,
            session=None,
        ),
    )


def _as_item(prompt: str, pictures: list[str]) -> Item:
    """The request as a message, by which its tokens are estimated; it is not sent."""
    parts = [{"type": "input_image", "image_url": url} for url in pictures]
    return message("user", [{"type": "input_text", "text": prompt}, *parts])


def _model(name: str) -> str:
    """The backend's model for a name. Raises UnknownModel."""
    found = _NAME.fullmatch(name.strip().lower())
    if found is None:
        raise UnknownModel(f"No image model has this name; use '{IMAGE_MODEL}'.")
    return found[1] if found[1].startswith(IMAGE_MODEL) else IMAGE_MODEL


def _options(asked: ClientBody) -> dict[str, Any]:
    """The options that are sent; `n` of a form is a text."""
    told = {name: value for name in _SENT if (value := asked.values.get(name)) is not None}
    count = told.get("n")
    if isinstance(count, str) and count.isascii() and count.isdigit():
        count = told["n"] = int(count[:4])
    whole = isinstance(count, int) and not isinstance(count, bool)
    if count is not None and not (whole and 1 <= count <= 10):  # noqa: PLR2004 - OpenAI's bounds
        raise BadRequest("'n' must be a number from 1 to 10", param="n")
    for name in ("size", "quality", "background"):
        asked.text(name)
    return told


def _refuse_impossible(asked: ClientBody) -> None:
    """Raise BadRequest for what would change the answer if it were left out."""
    if asked.values.get("response_format") not in (None, "b64_json"):
        raise BadRequest(
            "Only 'b64_json' is available: images have no address here",
            code="unsupported_value",
            param="response_format",
        )
    if asked.values.get("stream") not in (None, False, "false"):
        raise BadRequest("Images are not streamed", code="unsupported_parameter", param="stream")


def _without_mask() -> BadRequest:
    return BadRequest(
        "The backend takes no mask: describe in 'prompt' what is to be changed",
        code="unsupported_parameter",
        param="mask",
    )
