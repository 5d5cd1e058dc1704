"""Whose a personal access token is."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_proapi.commons.codex.whoami import TokenOwner, is_personal_token, read_whoami

WHOLE = {
    "email": "ada@example.com",
    "chatgpt_user_id": "user-1",
    "chatgpt_account_id": "ws-1",
    "chatgpt_plan_type": "business",
    "chatgpt_account_is_fedramp": True,
}


def answer(**changes: Any) -> bytes:
    return json.dumps({**WHOLE, **changes}).encode()


def test_a_whole_answer_names_user_workspace_plan_and_region() -> None:
    assert read_whoami(answer()) == TokenOwner(
        chatgpt_account_id="ws-1",
        chatgpt_user_id="user-1",
        email="ada@example.com",
        plan="business",
        fedramp=True,
    )


def test_email_plan_and_region_may_be_missing_or_odd() -> None:
    owner = read_whoami(
        answer(email=None, chatgpt_plan_type=7, chatgpt_account_is_fedramp="true", more=[1])
    )

    assert owner == TokenOwner(chatgpt_account_id="ws-1", chatgpt_user_id="user-1")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        answer(chatgpt_account_id=""),
        answer(chatgpt_account_id=None),
        answer(chatgpt_user_id=""),
        answer(chatgpt_user_id=["user-1"]),
        answer(chatgpt_account_id="w" * 129),
        answer(chatgpt_account_id="ws\r\nx-evil: 1"),
    ],
)
def test_an_answer_that_names_nobody_is_none(body: bytes) -> None:
    assert read_whoami(body) is None


@given(st.binary())
def test_any_bytes_are_read_or_nobody(body: bytes) -> None:
    assert read_whoami(body) is None or body


@pytest.mark.parametrize("text", ["at-12345678", "at-" + "x" * 4093, "at-a.b_c-d~e!"])
def test_the_form_of_a_personal_access_token(text: str) -> None:
    assert is_personal_token(text)


@pytest.mark.parametrize(
    "text",
    ["", "at-", "at-1234567", "sk-proj-12345678", "eyJhbGciOi.x.y", "at-1234 5678", "at-1234é678"],
)
def test_what_is_no_personal_access_token(text: str) -> None:
    assert not is_personal_token(text)
