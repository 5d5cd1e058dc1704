import gzip
import zlib
from typing import Any

import msgspec
import pytest
import zstandard

from codex_proapi.simulator import Simulator
from codex_proapi.simulator.http.authentication import (
    account_of_personal_token,
    authenticate,
    unpack_body,
)
from codex_proapi.simulator.state.accounts import sign_token
from codex_proapi.simulator.state.refusals import Refusal

SIM = Simulator()
JSON = {"content-type": "application/json"}


def headers(**changes: Any) -> Any:
    return {**SIM.headers("ada"), **changes}


def code_of(outcome: Any) -> Any:
    assert isinstance(outcome, Refusal)
    return outcome.status, outcome.code


def test_a_good_token_with_its_workspace_is_let_in() -> None:
    assert authenticate(headers(), SIM.world) is SIM.account("ada")


def test_a_long_lived_access_key_is_let_in() -> None:
    ada = SIM.account("ada")

    assert authenticate(headers(authorization=f"Bearer {ada.access_key}"), SIM.world) is ada


@pytest.mark.parametrize("value", ["", "Basic abc", "Bearer ", "Bearer"])
def test_without_a_bearer_nobody_is_let_in(value: Any) -> None:
    assert code_of(authenticate(headers(authorization=value), SIM.world)) == (401, "Unauthorized")


STRANGER = sign_token({"scp": [], "exp": 9e9, "iat": 0, "jti": "1-x"})


@pytest.mark.parametrize("token", ["at-unknown", "nonsense", "a.b.c", STRANGER])
def test_an_unreadable_token_is_refused(token: Any) -> None:
    outcome = authenticate(headers(authorization=f"Bearer {token}"), SIM.world)

    assert code_of(outcome) == (401, "invalid_jwt")


def test_an_id_token_opens_nothing() -> None:
    token = SIM.auth_json("ada")["tokens"]["id_token"]

    outcome = authenticate(headers(authorization=f"Bearer {token}"), SIM.world)

    assert code_of(outcome) == (401, "invalid_jwt")


def test_an_expired_token_is_told_so() -> None:
    token = SIM.access_token("ada", expires_in=-1)

    outcome = authenticate(headers(authorization=f"Bearer {token}"), SIM.world)

    assert code_of(outcome) == (401, "token_expired")


def test_an_invalidated_token_is_told_so_and_a_later_one_works() -> None:
    sim = Simulator()
    before = sim.headers("ada")

    sim.invalidate_access_tokens("ada")

    assert code_of(authenticate(before, sim.world)) == (401, "token_invalidated")
    assert authenticate(sim.headers("ada"), sim.world) is sim.account("ada")


@pytest.mark.parametrize("value", ["", "someone-else", SIM.account("ben").workspace])
def test_the_workspace_must_be_that_of_the_token(value: Any) -> None:
    outcome = authenticate(headers(**{"chatgpt-account-id": value}), SIM.world)

    assert code_of(outcome) == (403, "account_mismatch")


def test_a_fedramp_account_needs_its_header() -> None:
    sim = Simulator()
    sim.account("ada").fedramp = True
    provided = sim.headers("ada")

    assert code_of(authenticate(provided, sim.world)) == (403, "account_mismatch")
    assert authenticate({**provided, "x-openai-fedramp": "true"}, sim.world) is sim.account("ada")


def test_a_deactivated_account_is_refused() -> None:
    sim = Simulator()
    sim.account("ada").deactivated = True

    assert code_of(authenticate(sim.headers("ada"), sim.world)) == (401, "account_deactivated")


def test_whose_a_personal_token_is_can_be_asked_without_a_workspace_and_a_logins_cannot() -> None:
    ada = SIM.account("ada")
    personal = {"authorization": f"Bearer {ada.access_key}"}
    login = {"authorization": SIM.headers("ada")["authorization"]}

    assert account_of_personal_token(personal, SIM.world) is ada
    assert isinstance(account_of_personal_token(login, SIM.world), Refusal)
    assert isinstance(account_of_personal_token({}, SIM.world), Refusal)


BODY = msgspec.json.encode({"a": 1})
PACKED = [
    ("", BODY),
    ("identity", BODY),
    ("gzip", gzip.compress(BODY)),
    ("deflate", zlib.compress(BODY)),
    ("zstd", zstandard.compress(BODY)),
]


@pytest.mark.parametrize(
    ("coding", "raw"), PACKED, ids=[coding or "absent" for coding, _ in PACKED]
)
def test_a_body_is_unpacked(coding: Any, raw: Any) -> None:
    assert unpack_body(raw, {**JSON, "content-encoding": coding}) == {"a": 1}


def test_a_zstd_body_without_a_size_is_unpacked() -> None:
    packer = zstandard.ZstdCompressor().compressobj()
    raw = packer.compress(BODY) + packer.flush()

    assert unpack_body(raw, {**JSON, "content-encoding": "zstd"}) == {"a": 1}


SPOILT = [
    (JSON, b"{", 400),
    (JSON, b"\xff\xfe", 400),
    ({**JSON, "content-encoding": "gzip"}, BODY, 400),
    ({**JSON, "content-encoding": "zstd"}, BODY, 400),
    ({**JSON, "content-encoding": "deflate"}, BODY, 400),
    ({**JSON, "content-encoding": "br"}, BODY, 415),
    ({"content-type": "text/plain"}, BODY, 415),
]


@pytest.mark.parametrize(("provided", "raw", "status"), SPOILT)
def test_a_spoilt_body_is_refused(provided: Any, raw: Any, status: Any) -> None:
    assert unpack_body(raw, provided).status == status
