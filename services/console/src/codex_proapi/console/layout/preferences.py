"""A visitor's language and theme, from cookies and headers."""

import enum
from collections.abc import Mapping

import msgspec

from codex_proapi.console.texts.language import Language, choose_language

LANGUAGE_COOKIE = "language"
THEME_COOKIE = "theme"


class Theme(enum.StrEnum):
    """Light, dark, or as the visitor's system says."""

    SYSTEM = "system"
    LIGHT = "light"
    DARK = "dark"


class Preferences(msgspec.Struct, frozen=True, kw_only=True):
    """One visitor's language and theme."""

    language: Language = Language.ENGLISH
    theme: Theme = Theme.SYSTEM


_THEMES = frozenset(Theme)


def preferences_of(*, cookies: Mapping[str, str], accept_language: str) -> Preferences:
    """Read a request's preferences; unknown values are ignored."""
    theme = cookies.get(THEME_COOKIE, "")
    return Preferences(
        language=choose_language(
            cookie=cookies.get(LANGUAGE_COOKIE, ""), accept_language=accept_language
        ),
        theme=Theme(theme) if theme in _THEMES else Theme.SYSTEM,
    )
