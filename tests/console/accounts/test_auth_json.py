"""An auth.json becomes an account, or says what is wrong with it."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.logins import a_jwt, an_access_token

from codex_proapi.commons.accounts.model import account_id_of
from codex_proapi.commons.codex.claims import AUTH_CLAIM, PROFILE_CLAIM
from codex_proapi.console.accounts.auth_json import personal_token_in, read_auth_json
from codex_proapi.console.errors import BadAuthFile

NOW = 1_795_000_000
LATER = NOW + 1000
ACCESS = an_access_token(exp=LATER)


def a_file(**tokens: Any) -> dict[str, Any]:
    given_tokens = {"access_token": ACCESS, "refresh_token": "rt_1", "id_token": ACCESS, **tokens}
    return {
        "auth_mode": "chatgpt",
        "OPENAI_API_KEY": None,
        "tokens": given_tokens,
        "last_refresh": "2026-11-22T06:35:50.450390622Z",
    }


def test_a_file_as_codex_writes_it_gives_the_account_and_its_preview() -> None:
    file = read_auth_json(a_file(account_id="ws-1"), now=NOW, name="Ada's")

    account, preview = file.account, file.preview
    assert (account.name, account.email, account.plan) == ("Ada's", "ada@example.com", "plus")
    assert (account.chatgpt_account_id, account.chatgpt_user_id) == ("ws-1", "user-1")
    assert (account.access_token, account.refresh_token) == (ACCESS, "rt_1")
    assert (account.expires_at, account.created_at, account.source) == (LATER, NOW, "auth_json")
    assert preview.id == account_id_of("ws-1", "user-1")
    assert (preview.email, preview.plan, preview.workspace) == ("ada@example.com", "plus", "ws-1")
    assert (preview.expires_at, preview.expired, preview.renewable) == (LATER, False, True)
    assert ACCESS not in json.dumps(str(preview))


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(a_file()),
        f"\ufeff\n {json.dumps(a_file())} \n",
        json.dumps(a_file()).encode(),
        {"access_token": ACCESS, "refresh_token": "rt_1", "type": "codex"},
    ],
)
def test_other_forms_people_have_will_do(content: Any) -> None:
    assert read_auth_json(content, now=NOW).account.email == "ada@example.com"


def test_the_workspace_of_the_file_counts_before_the_claim() -> None:
    assert read_auth_json(a_file(account_id="ws-2"), now=NOW).preview.workspace == "ws-2"


def test_the_e_mail_address_may_stand_in_the_profile() -> None:
    token = a_jwt(
        exp=LATER,
        **{AUTH_CLAIM: {"chatgpt_account_id": "ws-1"}, PROFILE_CLAIM: {"email": "b@example.com"}},
    )
    file = read_auth_json(a_file(access_token=token, id_token=""), now=NOW)

    assert file.preview.email == "b@example.com"


def test_an_expired_token_is_renewed_at_its_first_use() -> None:
    token = an_access_token(exp=NOW - 1)
    preview = read_auth_json(a_file(access_token=token), now=NOW).preview

    assert (preview.expired, preview.renewable) == (True, True)


def test_without_a_refresh_token_an_account_lasts_as_long_as_its_token() -> None:
    assert read_auth_json(a_file(refresh_token=None), now=NOW).preview.renewable is False


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("", "invalid_auth_json"),
        ("{", "invalid_auth_json"),
        ("[]", "invalid_auth_json"),
        ("[" * 60_000, "invalid_auth_json"),
        ("\udcff", "invalid_auth_json"),
        (7, "invalid_auth_json"),
        ({}, "auth_json_no_tokens"),
        ({"tokens": {}}, "auth_json_no_tokens"),
        ({"tokens": {"refresh_token": "rt_1"}}, "auth_json_no_access_token"),
        ({"OPENAI_API_KEY": "sk-proj-1", "tokens": None}, "auth_json_api_key"),
        (a_file(access_token="opaque", id_token="opaque"), "auth_json_unreadable_token"),
        (
            a_file(access_token=a_jwt(exp=LATER, sub="user-1"), id_token=""),
            "auth_json_no_account_id",
        ),
        (
            a_file(access_token=an_access_token(exp=NOW - 1), refresh_token=""),
            "auth_json_expired",
        ),
    ],
)
def test_a_file_we_cannot_use_says_why(content: Any, code: str) -> None:
    with pytest.raises(BadAuthFile) as caught:
        read_auth_json(content, now=NOW)

    assert (caught.value.code.value, caught.value.param) == (code, "auth_json")


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.just("tokens"), inner),
)


@given(JSON | st.dictionaries(st.just("tokens"), st.dictionaries(st.just("access_token"), JSON)))
def test_anything_is_read_or_refused_and_never_more(content: Any) -> None:
    with contextlib.suppress(BadAuthFile):
        read_auth_json(content, now=NOW)


@given(st.text() | st.binary())
def test_any_text_is_read_or_refused_and_never_more(content: str | bytes) -> None:
    with pytest.raises(BadAuthFile):
        read_auth_json(content, now=NOW)


@pytest.mark.parametrize(
    ("tokens", "code"),
    [
        (
            {"access_token": "a.b.c", "id_token": "", "account_id": "x"},
            "auth_json_unreadable_token",
        ),
        ({"access_token": "opaque", "account_id": "ws-1"}, "auth_json_unreadable_token"),
        ({"account_id": "y" * 30_000}, "auth_json_no_account_id"),
        ({"account_id": "ws\x1b[31m"}, "auth_json_no_account_id"),
    ],
)
def test_what_can_never_answer_is_no_account(tokens: dict[str, str], code: str) -> None:
    with pytest.raises(BadAuthFile) as refused:
        read_auth_json(a_file(**tokens), now=NOW)

    assert refused.value.code == code


@pytest.mark.parametrize(
    ("content", "token"),
    [
        ({"OPENAI_API_KEY": None, "personal_access_token": "at-1"}, "at-1"),
        ({"tokens": {"personal_access_token": " at-1 "}}, "at-1"),
        ({"access_token": "at-1"}, "at-1"),
        (a_file(access_token="at-1"), "at-1"),
        (a_file(), ""),
        ({"tokens": "at-1"}, ""),
        ({"personal_access_token": 7}, ""),
    ],
)
def test_a_personal_access_token_in_a_file_is_found(content: Any, token: str) -> None:
    assert personal_token_in(content) == token


@given(JSON)
def test_anything_is_searched_for_a_token_or_refused(content: Any) -> None:
    with contextlib.suppress(BadAuthFile):
        assert not personal_token_in(content)
