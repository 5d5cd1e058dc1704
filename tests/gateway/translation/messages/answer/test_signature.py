"""Signatures: ours come back whole, anything else is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_proapi.gateway.formats.codex.requests import account_mark
from codex_proapi.gateway.translation.messages.answer.signature import (
    SIZE_LIMIT,
    opened,
    sealed,
)


@given(st.text(), st.lists(st.text(min_size=1), min_size=1))
def test_what_is_sealed_is_opened(account: str, contents: list[str]) -> None:
    contents = [c.encode("utf-8", "replace").decode() for c in contents]
    envelope = opened(sealed(account.encode("utf-8", "replace").decode(), contents))

    assert envelope is not None
    assert envelope.contents == tuple(contents)


def test_form_is_versioned_bound_and_leaves_tokens_as_they_are() -> None:
    assert sealed("acc_1", ["gAAAA-_=", "b:c"]) == f"cpa1:{account_mark('acc_1')}:gAAAA-_=:b%3Ac"


def test_mark_does_not_name_the_account() -> None:
    assert "acc_1" not in account_mark("acc_1")
    assert account_mark("acc_1") != account_mark("acc_2")
    assert account_mark("") == ""


def test_account_may_be_unknown() -> None:
    envelope = opened(sealed("", ["a"]))

    assert envelope is not None
    assert envelope.account == ""


@pytest.mark.parametrize("contents", [[], [""], ["x" * (SIZE_LIMIT + 1)]])
def test_nothing_or_too_much_gives_no_signature(contents: list[str]) -> None:
    assert sealed("acc_1", contents) == ""


@pytest.mark.parametrize(
    "signature",
    [
        "",
        None,
        7,
        "EqQBCkYIBxgCKkBmo",
        "gAAAAABk",
        "ccp:codex:v1:cnM:gAAAA",
        "cpa0:abc:gAAAA",
        "cpa2:abc:gAAAA",
        "cpa1",
        "cpa1:abc",
        "cpa1:abc:",
        "cpa1:abc:a::b",
        "cpa1:abc:" + "x" * SIZE_LIMIT,
    ],
)
def test_foreign_broken_and_other_versions_are_none(signature: object) -> None:
    assert opened(signature) is None
