"""Both languages say everything, with the same placeholders, and nothing nobody says."""

import re
from typing import Any

import pytest
from babel.messages.catalog import Message
from babel.messages.pofile import read_po
from support.renew_texts import CATALOGUE, CONSOLE, is_translated, said

PLACEHOLDER = re.compile(r"%\((\w+)\)s")


def _kept() -> list[Message]:
    with CATALOGUE.open("rb") as file:
        return [message for message in read_po(file, locale="zh_Hans_CN") if message.id]


def _key(message: Message) -> str:
    return message.id if isinstance(message.id, str) else message.id[0]


def test_the_catalogue_has_exactly_what_is_said() -> None:
    wanted = {message if isinstance(message, str) else message[0] for _, _, message in said()}

    assert {_key(message) for message in _kept()} == wanted


def test_every_message_is_translated() -> None:
    assert [_key(message) for message in _kept() if not is_translated(message)] == []


def test_no_translation_is_a_guess() -> None:
    assert [_key(message) for message in _kept() if message.fuzzy] == []


def test_placeholders_are_the_same_in_both_languages() -> None:
    differing = {
        _key(message): form
        for message in _kept()
        for form in ([message.string] if isinstance(message.string, str) else message.string or ())
        if set(PLACEHOLDER.findall(str(form))) != set(PLACEHOLDER.findall(str(message.id)))
    }

    assert differing == {}


def test_scripts_name_where_their_messages_come_from() -> None:
    scripts = {name for name, _, _ in said() if name.startswith("static/js/")}
    placed = {place for message in _kept() for place, _ in message.locations}

    assert scripts <= placed


@pytest.mark.parametrize(
    "path", sorted(CONSOLE.glob("templates/**/*.html")), ids=lambda path: str(path.name)
)
def test_a_template_says_nothing_outside_the_catalogue(path: Any) -> None:
    """Text between tags is either marked, or the same in every language."""
    plain = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", " ", path.read_text(), flags=re.DOTALL)
    bare = re.sub(r"""<(?:"[^"]*"|'[^']*'|[^>"'])*>""", "\n", plain)
    words = {word.strip() for word in bare.splitlines() if re.search(r"[A-Za-z]{2}", word)}

    assert words <= SAME_EVERYWHERE


SAME_EVERYWHERE = {
    *("Codex Pro API", "· Codex Pro API", "Redis", "CSV", "ms", "OpenAPI", "~/.codex/auth.json"),
    "Authorization: Bearer …",
}
