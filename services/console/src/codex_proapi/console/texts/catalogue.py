"""The translation catalogue of one language: gettext for templates, a table for scripts."""

import functools
import gettext
import importlib.resources
import io

import msgspec
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from codex_proapi.console.texts.language import Language
from codex_proapi.console.texts.phrases import CURES, FAULTS

SCRIPTS = "static/js/"
"""Where a message must come from to be sent to the browser's scripts."""


class Texts:
    """Everything the console says in one language."""

    def __init__(self, language: Language) -> None:
        self.language = language
        self._catalog = _read_catalog(language)
        self._translations = _compiled(self._catalog)
        self.gettext = self._translations.gettext
        self.ngettext = self._translations.ngettext

    def __repr__(self) -> str:
        return f"<Texts {self.language.value}>"

    def script(self) -> bytes:
        """The ES module with what the browser's scripts say: messages, and faults by their code."""
        messages = {
            message.id[0] if message.pluralizable else message.id: message.string
            for message in self._catalog
            if message.id and any(position.startswith(SCRIPTS) for position, _ in message.locations)
        }
        faults = {
            code: [self.gettext(what), self.gettext(CURES.get(code, "")) if code in CURES else ""]
            for code, what in FAULTS.items()
        }
        encode = msgspec.json.Encoder(order="sorted").encode
        return (
            b"export const language = %s;\nexport const messages = %s;\nexport const faults = %s;\n"
            % (encode(self.language.value), encode(messages), encode(faults))
        )


@functools.cache
def texts_of(language: Language) -> Texts:
    """The catalogue of a language, read once for each process."""
    return Texts(language)


def _read_catalog(language: Language) -> Catalog:
    source = importlib.resources.files("codex_proapi.console.texts").joinpath(
        f"{language.value}.po"
    )
    if language is Language.ENGLISH:
        return Catalog(locale=language.locale)
    with source.open("rb") as file:
        return read_po(file, locale=language.locale)


def _compiled(catalog: Catalog) -> gettext.NullTranslations:
    if not any(message.id for message in catalog):
        return gettext.NullTranslations()
    compiled = io.BytesIO()
    write_mo(compiled, catalog)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)
