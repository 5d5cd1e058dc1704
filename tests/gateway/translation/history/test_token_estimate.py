from typing import Any

import pytest

from codex_proapi.gateway.translation.history.token_estimate import estimate

PICTURE = "data:image/png;base64," + "A" * 400_000


def with_picture(field: str, url: Any = PICTURE) -> Any:
    return {"type": "message", field: [{"type": "input_image", "image_url": url}]}


def test_a_token_is_four_bytes() -> None:
    assert estimate(8_000, [with_picture("content")]) == 2_000
    assert estimate(80_000, [{"type": "message", "content": "words"}]) == 20_000


@pytest.mark.parametrize("field", ["content", "output"])
def test_a_picture_costs_what_a_picture_costs_and_not_its_bytes(field: str) -> None:
    items = [with_picture(field), with_picture(field)]

    assert estimate(2 * len(PICTURE) + 4_000, items) == 1_000 + 2_000


def test_a_picture_elsewhere_and_nonsense_are_their_bytes() -> None:
    elsewhere = [with_picture("content", "https://example.com/a.png"), {"content": ["x", None]}]

    assert estimate(40_000, [*elsewhere, with_picture("content", 7)]) == 10_000
