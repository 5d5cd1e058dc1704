"""The routes that answer one JSON body: images and the search of Codex' own web tool.

What is refused and answered is as public reports have it; none of it was seen live by us.
"""

import base64
from typing import Any, Final

from codex_proapi.simulator.state.refusals import Refusal, invalid

IMAGE_MODEL: Final = "gpt-image-2"
PICTURE: Final = base64.b64encode(
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89"
    b"\x00\x00\x00\rIDATx\xdac\xf8\xcf\xc0P\x0f\x00\x04\x85\x01\x80\x84\xa9\x8c!\x00\x00\x00\x00IEND\xaeB`\x82"
).decode()
"""A picture of one pixel, as base64."""
_IMAGE_FIELDS: Final = {"model", "prompt", "n", "size", "quality", "background", "images"}
_SEARCH_FIELDS: Final = {
    *("id", "model", "input", "commands", "settings", "max_output_tokens", "reasoning"),
}
_MOST_PICTURES: Final = 16


def answer_unary(route: str, body: Any, *, now: int) -> dict[str, Any] | Refusal:
    """The answer of a route (`images/generations`, `images/edits`, `alpha/search`), or a refusal."""
    if not isinstance(body, dict):
        return invalid("The body must be an object.")
    known = _SEARCH_FIELDS if route == "alpha/search" else _IMAGE_FIELDS
    for name in body:
        if name not in known:
            return invalid(f"Unknown parameter: '{name}'.", code="unknown_parameter", param=name)
    if route == "alpha/search":
        return _searched(body)
    return _refused_image(route, body) or _drawn(body, now)


def _refused_image(route: str, body: dict[str, Any]) -> Refusal | None:
    if not str(body.get("model", "")).startswith(IMAGE_MODEL):
        return invalid("Unsupported image model.", code="invalid_value", param="model")
    if not isinstance(body.get("prompt"), str) or not body["prompt"]:
        return invalid("Missing required parameter: 'prompt'.", param="prompt")
    pictures = body.get("images")
    if route == "images/generations":
        return invalid("Unknown parameter: 'images'.", param="images") if pictures else None
    good = isinstance(pictures, list) and 0 < len(pictures) <= _MOST_PICTURES
    if not good or not all(_is_picture(each) for each in pictures or ()):
        return invalid("Invalid value for 'images'.", code="invalid_value", param="images")
    return None


def _is_picture(value: Any) -> bool:
    url = value.get("image_url") if isinstance(value, dict) else None
    return isinstance(url, str) and url.startswith(("data:image/", "https://"))


def _drawn(body: dict[str, Any], now: int) -> dict[str, Any]:
    """As many pictures as asked for, with a usage of 100 tokens each."""
    count = body.get("n", 1)
    asked = len(body["prompt"]) // 4 + 1
    return {
        "created": now,
        "background": body.get("background", "auto"),
        "quality": body.get("quality", "auto"),
        "size": body.get("size", "auto"),
        "data": [{"b64_json": PICTURE} for _ in range(count)],
        "usage": {
            "input_tokens": asked,
            "input_tokens_details": {"text_tokens": asked, "image_tokens": 0},
            "output_tokens": 100 * count,
            "total_tokens": asked + 100 * count,
        },
    }


def _searched(body: dict[str, Any]) -> dict[str, Any] | Refusal:
    commands = body.get("commands")
    if not isinstance(commands, dict):
        return invalid("Missing required parameter: 'commands'.", param="commands")
    queries = commands.get("search_query") or []
    results = [
        {
            "title": f"About {query.get('q')}",
            "url": f"https://example.com/{index}",
            "ref_id": f"turn0search{index}",
        }
        for index, query in enumerate(queries)
        if isinstance(query, dict)
    ]
    output = "\n".join(f"{found['title']}: {found['url']}" for found in results)
    return {"output": output, "results": results, "encrypted_output": None}
