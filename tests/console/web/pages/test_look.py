from typing import Any

import pytest

from console.texts.language import Language
from console.web.pages.look import Look, Theme, look_of


@pytest.mark.parametrize(
    ("theme", "seen"),
    [
        ("dark", Theme.DARK),
        ("light", Theme.LIGHT),
        ("system", Theme.SYSTEM),
        ("neon", Theme.SYSTEM),
    ],
)
def test_the_theme_is_the_cookies_or_the_systems(theme: Any, seen: Any) -> None:
    assert look_of(cookies={"theme": theme}, accept_language="").theme is seen


def test_without_wishes_a_page_is_english_and_as_the_system_is() -> None:
    assert look_of(cookies={}, accept_language="") == Look(
        language=Language.ENGLISH, theme=Theme.SYSTEM
    )


def test_the_language_switch_outweighs_the_browser() -> None:
    seen = look_of(cookies={"language": "zh-CN"}, accept_language="en")

    assert seen.language is Language.CHINESE
