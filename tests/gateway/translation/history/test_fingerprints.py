"""One name for one conversation."""

import re
from typing import Any

import pytest
from support.askings import assistant, call, developer, user

from codex_proapi.gateway.translation.history.fingerprints import (
    cache_key,
    fingerprint,
    opening_words,
    session_uuid,
)

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}"


def test_another_key_or_another_source_is_another_name() -> None:
    names = {fingerprint(key, source) for key in ("k1", "k2") for source in ("a", "b")}

    assert len(names) == 4
    assert fingerprint("k1", "a") in names


def test_the_words_end_with_the_first_of_a_user() -> None:
    opening = [developer("S"), call("c", "f"), assistant("x"), user("first")]

    assert opening_words("I", opening) == "I\0S\0x\0first"
    assert opening_words("I", [*opening, assistant("a"), user("second")]) == "I\0S\0x\0first"
    assert opening_words(None, []) == ""


@pytest.mark.parametrize(
    ("part", "word"),
    [
        ({"image_url": "https://x"}, "https://x"),
        ({"file_data": "data"}, "data"),
        ({"file_id": "f"}, "f"),
        ({"x": 1}, ""),
        ({"text": 7}, ""),
        ("odd", ""),
        ({"text": "x" * 100_000}, "x" * 65_536),
    ],
)
def test_what_counts_of_a_part(part: Any, word: str) -> None:
    items = [{"type": "message", "role": "user", "content": [part]}]

    assert opening_words("", items) == f"\0{word}"


def test_a_session_has_a_uuid_of_its_name() -> None:
    name = fingerprint("k", "a")

    assert re.fullmatch(UUID, session_uuid(name))
    assert session_uuid(name) == session_uuid(name) != session_uuid(fingerprint("k", "b"))


@pytest.mark.parametrize("own", [None, "", "x" * 65, "a\nb"])
def test_a_cache_key_is_derived_where_the_client_has_none_that_fits(own: str | None) -> None:
    name = fingerprint("k", "a")

    assert cache_key(own, name) == session_uuid(name)


def test_a_clients_own_cache_key_is_kept() -> None:
    assert cache_key("thread 1", fingerprint("k", "a")) == "thread 1"
