"""What the authorization server sends back, through a redirect or a person's clipboard."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_proapi.console.accounts.callback import (
    Callback,
    callback_of,
    pasted_callback,
    refusal_of,
)
from codex_proapi.console.errors import BadRequest, Code, LoginRefused

GOOD = Callback(code="ac_1", state="s1")


def test_a_code_and_its_state() -> None:
    assert callback_of({"code": "ac_1", "state": "s1", "scope": "openid"}) == GOOD
    assert "ac_1" not in repr(GOOD)


@pytest.mark.parametrize(
    ("error", "description", "code"),
    [
        ("access_denied", "", Code.ACCESS_DENIED),
        ("access_denied", "missing_codex_entitlement", Code.MISSING_ENTITLEMENT),
        ("invalid_request", "authorize_hydra_invalid_request", Code.REDIRECT_REFUSED),
        ("invalid_redirect_uri", "", Code.REDIRECT_REFUSED),
        ("server_error", "something else", Code.LOGIN_REFUSED),
    ],
)
def test_a_refusal_has_its_own_code(error: str, description: str, code: Code) -> None:
    query = {"error": error, "error_description": description, "state": "s1"}

    assert callback_of(query) == Callback(code="", state="s1", refusal=code)
    assert refusal_of(f"{error} {description}") is code


@pytest.mark.parametrize(
    "query", [{}, {"code": "ac_1"}, {"state": "s1"}, {"code": "", "state": ""}]
)
def test_neither_code_nor_refusal_is_no_callback(query: dict[str, str]) -> None:
    with pytest.raises(LoginRefused) as caught:
        callback_of(query)

    assert caught.value.code is Code.NOT_A_CALLBACK


@pytest.mark.parametrize(
    "text",
    [
        "http://localhost:1455/auth/callback?code=ac_1&scope=openid+email&state=s1",
        "  <http://localhost:1455/auth/callback?code=ac_1&state=s1>\n",
        '"http://127.0.0.1:1455/auth/callback?code=ac_1&state=s1"',
        "localhost:1455/auth/callback?code=ac_1&state=s1",
        "https://codex.example/auth/callback?state=s1&code=ac_1#_=_",
        "?code=ac_1&state=s1",
        "code=ac_1&state=s1",
    ],
)
def test_people_paste_it_in_many_forms(text: str) -> None:
    assert pasted_callback(text) == GOOD


def test_a_pasted_refusal_is_a_refusal() -> None:
    pasted = pasted_callback("http://localhost:1455/auth/callback?error=access_denied&state=s1")

    assert pasted.refusal is Code.ACCESS_DENIED


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "hello",
        "http://[?code=1",
        "http://localhost:1455/",
        "?code=1",
        "a" * 9000,
        "&" * 500,
    ],
)
def test_anything_else_is_refused_with_what_to_copy(text: str) -> None:
    with pytest.raises(BadRequest) as caught:
        pasted_callback(text)

    assert (caught.value.code, caught.value.param) == (Code.NOT_A_CALLBACK, "url")


@given(st.text())
def test_any_text_is_read_or_refused_and_never_more(text: str) -> None:
    with contextlib.suppress(BadRequest):
        pasted_callback(f"http://localhost:1455/auth/callback?{text}")
