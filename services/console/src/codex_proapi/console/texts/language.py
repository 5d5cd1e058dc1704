"""Selects the language of a page from cookie and Accept-Language header. Pure."""

import enum


class Language(enum.StrEnum):
    """A language the console speaks; the value is its BCP 47 tag."""

    ENGLISH = "en"
    CHINESE = "zh-CN"

    @property
    def own_name(self) -> str:
        """What its speakers call it."""
        return {Language.ENGLISH: "English", Language.CHINESE: "简体中文"}[self]

    @property
    def locale(self) -> str:
        """The name Babel knows it by."""
        return {Language.ENGLISH: "en", Language.CHINESE: "zh_Hans_CN"}[self]


_TAGS = frozenset(Language)


def choose_language(*, cookie: str, accept_language: str) -> Language:
    """The visitor's own choice, else the best of what the browser accepts, else English."""
    if cookie in _TAGS:
        return Language(cookie)
    for tag in _by_preference(accept_language):
        primary = tag.partition("-")[0]
        if primary == "zh":
            return Language.CHINESE
        if primary == "en":
            return Language.ENGLISH
    return Language.ENGLISH


def _by_preference(accept_language: str) -> list[str]:
    """The tags of an Accept-Language header, best first; refused ones (q=0) left out."""
    weighed: list[tuple[float, str]] = []
    for part in accept_language.split(",")[:20]:
        tag, _, parameter = part.strip().lower().partition(";")
        quality = _quality(parameter)
        if tag and quality > 0:
            weighed.append((quality, tag.strip()))
    weighed.sort(key=lambda pair: -pair[0])
    return [tag for _, tag in weighed]


def _quality(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
