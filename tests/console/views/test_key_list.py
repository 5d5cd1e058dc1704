"""Which keys the page lists, and in which order."""

from typing import Any

import pytest

from codex_proapi.commons.api_keys.store import ApiKey
from codex_proapi.console.views.key_list import KeyQuery, chosen, groups_of, owners_of, query_of

NOW = 1000.0
KEYS = (
    ApiKey(
        id="a",
        name="Zed",
        owner="Bob",
        group="night",
        created_at=3,
        last_used_at=9,
        expires_at=2000,
    ),
    ApiKey(id="b", name="alpha", owner="Ada", created_at=1, last_used_at=5),
    ApiKey(id="c", name="Beta", owner="Ada", created_at=2, expires_at=1500),
    ApiKey(id="d", name="Old", owner="Ada", created_at=9, expires_at=900),
    ApiKey(id="e", name="Gone", created_at=8, last_used_at=99, revoked=True),
)


@pytest.mark.parametrize(
    ("asked", "ids"),
    [
        ({}, "bcaed"),
        ({"sort": "newest"}, "acbde"),
        ({"sort": "used"}, "abced"),
        ({"sort": "tokens"}, "cabed"),
        ({"sort": "expires"}, "cabde"),
        ({"sort": "nonsense"}, "bcaed"),
        ({"state": "active"}, "bca"),
        ({"state": "expired"}, "d"),
        ({"state": "revoked"}, "e"),
        ({"state": "nonsense"}, "bcaed"),
        ({"owner": "Ada"}, "bcd"),
        ({"owner": "Ada", "state": "active", "sort": "newest"}, "cb"),
        ({"owner": "nobody"}, ""),
        ({"group": "night"}, "a"),
        ({"group": "night", "owner": "Ada"}, ""),
    ],
)
def test_keys_that_work_come_first_then_the_order_asked_for(
    asked: dict[str, str], ids: str
) -> None:
    found = chosen(KEYS, query_of(asked), now=NOW, tokens={"c": 7, "a": 3, "e": 50})

    assert "".join(key.id for key in found) == ids


def test_owners_are_each_named_once_in_order() -> None:
    assert owners_of(KEYS) == ("Ada", "Bob")
    assert groups_of(KEYS) == ("night",)


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ({}, ""),
        ({"sort": "used"}, "&sort=used"),
        ({"state": "active", "owner": "R&D team"}, "&state=active&owner=R%26D+team"),
        ({"group": "R&D"}, "&group=R%26D"),
    ],
)
def test_the_address_of_another_page_says_again_what_was_asked(query: Any, kept: str) -> None:
    assert KeyQuery(**query).kept == kept
