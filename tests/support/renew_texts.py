"""Collects what the console says, from templates, scripts and modules, and renews the catalogue.

`python tests/support/renew_texts.py` adds new messages to zh-CN.po, drops those nobody says any
more, and keeps every translation; then translate the empty ones.
"""

import io
import pathlib
import re
from collections.abc import Iterator

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.pofile import read_po, write_po
from jinja2.ext import babel_extract

CONSOLE = pathlib.Path(__file__).parents[2] / "services/console/src/codex_proapi/console"
CATALOGUE = CONSOLE / "texts/zh-CN.po"
KEYWORDS = {"_": None, "N_": None, "ngettext": (1, 2), "t": None, "tn": (1, 2)}

Found = tuple[str, int, str | tuple[str, ...]]


def said() -> Iterator[Found]:
    """Where (path inside the console), at which line, which message (or both its plurals)."""
    for path in sorted(CONSOLE.rglob("*")):
        name = str(path.relative_to(CONSOLE))
        content = path.read_bytes() if path.is_file() else b""
        if path.suffix == ".html":
            options = {"newstyle_gettext": "true"}
            for line, _, message, _ in babel_extract(
                io.BytesIO(content), tuple(KEYWORDS), (), options
            ):
                # Else a message from a table, with figures or without, marked where the table stands.
                if message is not None and (isinstance(message, str) or any(message)):
                    yield name, line, _plain(message)
        elif path.suffix in {".js", ".py"} and "vendor" not in path.parts:
            method = {".js": "javascript", ".py": "python"}[path.suffix]
            for line, message, _, _ in extract(method, io.BytesIO(content), KEYWORDS):
                yield name, line, _plain(message)


def renewed() -> Catalog:
    """The catalogue with exactly the messages that are said, and the translations there are."""
    with CATALOGUE.open("rb") as file:
        known = read_po(file, locale="zh_Hans_CN")
    header = "# Simplified Chinese of the console."
    fresh = Catalog(locale="zh_Hans_CN", header_comment=header, fuzzy=False)
    for name, line, message in said():
        old = known.get(message if isinstance(message, str) else message[0])
        fresh.add(message, string=old.string if old else None, locations=[(name, line)])
    return fresh


def is_translated(message: Message) -> bool:
    """Whether every form of a message has words."""
    forms = [message.string] if isinstance(message.string, str) else message.string or ()
    return bool(forms) and all(forms)


def _plain(message: str | tuple[str | None, ...]) -> str | tuple[str, ...]:
    if isinstance(message, str):
        return message
    words = tuple(word for word in message if word)
    return words if len(words) > 1 else words[0]


def main() -> None:
    """Write the renewed catalogue."""
    out = io.BytesIO()
    write_po(out, renewed(), width=100, omit_header=False, sort_by_file=True, include_lineno=False)
    text = re.sub(
        rb'"(POT-Creation-Date|PO-Revision-Date|Last-Translator|Language-Team|Generated-By|Project-Id-Version|Report-Msgid-Bugs-To): [^\n]*\n',
        b"",
        out.getvalue(),
    )
    CATALOGUE.write_bytes(text)
    missing = [message.id for message in renewed() if message.id and not is_translated(message)]
    print(f"{len(missing)} messages want a translation")
    for message in missing:
        print(" ", message)


if __name__ == "__main__":
    main()
