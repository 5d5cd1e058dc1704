"""Jinja environment of the templates, with its filters and functions.

Everything is escaped; an undefined name is an error, not an empty string. Times are rendered as
`<time>` in UTC and shown in the reader's time zone by the browser.
"""

import asyncio
import datetime as dt
import functools
import re
from collections.abc import Callable
from typing import Any

import jinja2
from babel.numbers import (
    format_compact_decimal,
    format_currency,
    format_decimal,
    format_percent,
)
from babel.units import format_unit
from markupsafe import Markup

from codex_proapi.commons.accounts.one_line import MOST_NAME
from codex_proapi.console.layout.assets import assets
from codex_proapi.console.layout.preferences import Preferences, Theme
from codex_proapi.console.texts.catalogue import Texts, texts_of
from codex_proapi.console.texts.language import Language
from codex_proapi.console.texts.phrases import CURES, FAULTS

COMPACT_FROM = 10_000
"""Numbers from here on are shortened (12K, 1.2 万); the whole stands in the title."""
EXACT_DOLLARS = "¤#,##0.00####"
"""Pattern of amounts that may be fractions of a cent."""
MOST_TEXTS = 4096
"""Most texts of a language that are kept as they stand in pages."""

PARTS_AT_ONCE = 500
"""Pieces of a page that are made at once: some two milliseconds of the loop."""

FULL_WIDTH = tuple("。：；，！？")  # noqa: RUF001 - it is Chinese
"""Punctuation of Chinese after which no space stands."""


@functools.cache
def environment(language: Language) -> jinja2.Environment:
    """The templates in one language."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("codex_proapi.console", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    texts = texts_of(language)
    made.install_gettext_callables(  # type: ignore[attr-defined]  # added by the i18n extension
        texts.gettext, texts.ngettext, newstyle=True
    )
    locale = language.locale
    made.globals.update(
        _=_translation(texts),
        asset=assets().url,
        build=assets().build,
        script_modules=assets().scripts,
        languages=list(Language),
        themes=list(Theme),
        most_name=MOST_NAME,
    )
    made.filters.update(
        number=lambda value: format_decimal(value, locale=locale),
        compact=lambda value: _compact(value, locale),
        percent=lambda value: format_percent(value / 100, format="#,##0%", locale=locale),
        share=lambda value: format_percent(value / 100, format="#,##0.#%", locale=locale),
        exact_dollars=lambda value: format_currency(
            value, "USD", format=EXACT_DOLLARS, locale=locale, currency_digits=False
        ),
        dollars=lambda value: format_currency(value, "USD", locale=locale),
        exact=lambda value: format_decimal(round(value, 1), locale=locale),
        duration=lambda value: _duration(value, locale),
        lead=_lead,
        at=_iso,
        fault=lambda code: texts.gettext(FAULTS[code]) if code in FAULTS else "",
        cure=lambda code: texts.gettext(CURES[code]) if code in CURES else "",
    )
    return made


def _translation(texts: Texts) -> Callable[..., Markup]:
    """What templates call `_`: as the extension's own, but a text without values is made once."""

    @functools.lru_cache(maxsize=MOST_TEXTS)
    def whole(message: str) -> Markup:
        return Markup(texts.gettext(message)) % {}  # noqa: S704 - our own texts

    def translation(message: str, /, **values: Any) -> Markup:
        if not values:
            return whole(message)
        return Markup(texts.gettext(message)) % values  # noqa: S704 - values are escaped

    return translation


def render(template: str, preferences: Preferences, **context: Any) -> str:
    """One page, or a part of one, as HTML."""
    return (
        environment(preferences.language)
        .get_template(template)
        .render(preferences=preferences, **context)
    )


async def render_in_steps(template: str, preferences: Preferences, **context: Any) -> str:
    """The same of a long page: others are served in between."""
    found = environment(preferences.language).get_template(template)
    parts: list[str] = []
    for part in found.generate(preferences=preferences, **context):
        parts.append(part)
        if len(parts) % PARTS_AT_ONCE == 0:
            await asyncio.sleep(0)
    return "".join(parts)


def _lead(text: str) -> str:
    """A text that something follows: with a space, which full-width punctuation has in itself."""
    return text if text.endswith(FULL_WIDTH) else text + type(text)(" ")


def _iso(seconds: float) -> str:
    """A moment as the machine-readable value of a `<time>`."""
    moment = dt.datetime.fromtimestamp(seconds, tz=dt.UTC)
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def _duration(milliseconds: float, locale: str) -> str:
    """A span in the unit that fits it: 340 ms, 1.2 sec, 42 sec, 3.5 min; `duration` in texts.js."""
    seconds = milliseconds / 1000
    if round(milliseconds) < 1000:  # noqa: PLR2004 - below, seconds would be fractions
        value, unit = float(round(milliseconds)), "millisecond"
    elif seconds < 100:  # noqa: PLR2004 - above, nobody counts in seconds
        value, unit = round(seconds, 1 if seconds < 10 else 0), "second"  # noqa: PLR2004
    else:
        value, unit = round(seconds / 60, 1), "minute"
    text = str(format_unit(value, f"duration-{unit}", length="short", locale=locale))
    return re.sub(r"(\d)(?=[\u4e00-\u9fff])", r"\1 ", text)  # Chinese: a space before the unit


def _compact(value: float, locale: str) -> str:
    if value < COMPACT_FROM:
        return str(format_decimal(value, locale=locale))
    return str(format_compact_decimal(value, locale=locale, fraction_digits=1))
