from typing import Any

import pytest

from codex_proapi.console.layout.preferences import Preferences, Theme, preferences_of
from codex_proapi.console.texts.language import Language


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
    assert preferences_of(cookies={"theme": theme}, accept_language="").theme is seen


def test_without_wishes_a_page_is_english_and_as_the_system_is() -> None:
    assert preferences_of(cookies={}, accept_language="") == Preferences(
        language=Language.ENGLISH, theme=Theme.SYSTEM
    )


def test_the_language_switch_outweighs_the_browser() -> None:
    seen = preferences_of(cookies={"language": "zh-CN"}, accept_language="en")

    assert seen.language is Language.CHINESE
