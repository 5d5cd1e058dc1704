"""What the authorization server says, in all its forms, becomes a value or an error."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from support.logins import a_jwt, an_access_token
from support.token_server import REUSED, TokenServer, hangs_up, says

from codex_proapi.commons.codex.token_endpoint import (
    DeviceCode,
    Grant,
    GrantRefused,
    GrantUnavailable,
    Pending,
    TokenEndpoint,
)

NOW = 1_795_000_000
IDENTITY = {"originator": "codex_cli_rs", "user-agent": "codex_cli_rs/0.169.0"}
DEVICE = DeviceCode(device_auth_id="dev_1", user_code="ABCD-12345")


@pytest.fixture
async def server() -> AsyncIterator[TokenServer]:
    async with TokenServer(exp=NOW) as server:
        yield server


@pytest.fixture
async def endpoint(server: TokenServer) -> AsyncIterator[TokenEndpoint]:
    async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
        yield TokenEndpoint(http, issuer=f"{server.url}/", client_id="app_1", identity=IDENTITY)


async def test_a_refresh_sends_what_the_cli_sends(
    server: TokenServer, endpoint: TokenEndpoint
) -> None:
    server.script = [says({"access_token": "a", "refresh_token": "r", "expires_in": 864_000})]

    grant = await endpoint.refresh("rt_1", "unauthorized_recovery")

    assert server.calls == [
        {
            "path": "/oauth/token",
            "client_id": "app_1",
            "grant_type": "refresh_token",
            "refresh_reason": "unauthorized_recovery",
            "refresh_token": "rt_1",
        }
    ]
    assert (grant.access_token, grant.refresh_token, grant.id_token) == ("a", "r", "")
    assert grant.expires_at(NOW) == NOW + 864_000


async def test_a_code_is_exchanged_by_form(server: TokenServer, endpoint: TokenEndpoint) -> None:
    server.script = [says({"access_token": "a", "id_token": "i", "refresh_token": "r"})]

    await endpoint.exchange(
        "ac_1", verifier="v", redirect_uri="http://localhost:1455/auth/callback"
    )

    assert server.calls == [
        {
            "path": "/oauth/token",
            "grant_type": "authorization_code",
            "client_id": "app_1",
            "code": "ac_1",
            "redirect_uri": "http://localhost:1455/auth/callback",
            "code_verifier": "v",
        }
    ]


async def test_an_exchange_must_bring_an_access_token(
    server: TokenServer, endpoint: TokenEndpoint
) -> None:
    server.script = [says({"id_token": "i"})]
    with pytest.raises(GrantRefused, match="no_access_token"):
        await endpoint.exchange("ac_1", verifier="v", redirect_uri="u")


async def test_logging_out_spends_the_refresh_token_or_else_the_access_token(
    server: TokenServer, endpoint: TokenEndpoint
) -> None:
    server.script = [says({}), says({}), says({}, status=500)]

    await endpoint.revoke(refresh_token="rt_1", access_token="at_1")
    await endpoint.revoke(access_token="at_1")
    with pytest.raises(GrantUnavailable):
        await endpoint.revoke(refresh_token="rt_1")

    assert server.calls[:2] == [
        {
            "path": "/oauth/revoke",
            "token": "rt_1",
            "token_type_hint": "refresh_token",
            "client_id": "app_1",
        },
        {
            "path": "/oauth/revoke",
            "token": "at_1",
            "token_type_hint": "access_token",
            "client_id": "app_1",
        },
    ]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            {"device_auth_id": "dev_1", "user_code": "AB-1", "interval": "7"},
            ("dev_1", "AB-1", 7, 900),
        ),
        (
            {"device_auth_id": "dev_1", "usercode": "AB-1", "interval": 3, "expires_in": 60},
            ("dev_1", "AB-1", 3, 60),
        ),
        ({"device_auth_id": "dev_1", "user_code": "AB-1"}, ("dev_1", "AB-1", 5, 900)),
        (
            {"device_auth_id": "dev_1", "user_code": "AB-1", "interval": "often"},
            ("dev_1", "AB-1", 5, 900),
        ),
    ],
)
async def test_a_device_login_begins(
    server: TokenServer, endpoint: TokenEndpoint, body: dict[str, Any], expected: tuple[Any, ...]
) -> None:
    server.script = [says(body)]

    device = await endpoint.start_device()

    assert (device.device_auth_id, device.user_code, device.interval, device.expires_in) == expected
    assert device.verification_url == f"{server.url}/codex/device"
    assert server.calls == [{"path": "/api/accounts/deviceauth/usercode", "client_id": "app_1"}]
    assert "AB-1" not in repr(device)


async def test_a_device_login_may_be_disabled_or_fail(
    server: TokenServer, endpoint: TokenEndpoint
) -> None:
    server.script = [says("", status=404), says("", status=502)]

    with pytest.raises(GrantRefused) as refused:
        await endpoint.start_device()
    assert (refused.value.code, refused.value.permanent) == ("device_login_disabled", True)
    with pytest.raises(GrantUnavailable):
        await endpoint.start_device()


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (403, {"error": {"code": "deviceauth_authorization_unknown"}}, Pending()),
        (404, "", Pending()),
        (400, {"error": {"code": "deviceauth_authorization_unknown"}}, Pending()),
        (400, {"error": "authorization_pending"}, Pending()),
        (400, {"error": "slow_down"}, Pending(slower=True)),
    ],
)
async def test_a_device_login_may_be_pending(
    server: TokenServer, endpoint: TokenEndpoint, status: int, body: Any, expected: Pending
) -> None:
    server.script = [says(body, status=status)]

    assert await endpoint.poll_device(DEVICE) == expected
    assert server.calls == [
        {
            "path": "/api/accounts/deviceauth/token",
            "device_auth_id": "dev_1",
            "user_code": "ABCD-12345",
        }
    ]


@pytest.mark.parametrize("code", ["expired_token", "deviceauth_expired", "access_denied"])
async def test_a_device_login_may_end(
    server: TokenServer, endpoint: TokenEndpoint, code: str
) -> None:
    server.script = [says({"error": {"code": code, "message": "Ask again."}}, status=403)]

    with pytest.raises(GrantRefused) as caught:
        await endpoint.poll_device(DEVICE)
    assert (caught.value.code, caught.value.message) == (code, "Ask again.")


async def test_a_failing_poll_is_an_error(server: TokenServer, endpoint: TokenEndpoint) -> None:
    server.script = [says("", status=500), says({"error": {"code": "nope"}}, status=422)]

    with pytest.raises(GrantUnavailable):
        await endpoint.poll_device(DEVICE)
    with pytest.raises(GrantRefused):
        await endpoint.poll_device(DEVICE)


async def test_a_confirmed_device_login_is_exchanged_with_the_servers_own_verifier(
    server: TokenServer, endpoint: TokenEndpoint
) -> None:
    confirmed = {"authorization_code": "ac_1", "code_challenge": "c", "code_verifier": "v"}
    server.script = [says(confirmed), says({"access_token": "a"})]

    grant = await endpoint.poll_device(DEVICE)

    assert isinstance(grant, Grant)
    assert grant.access_token == "a"
    assert server.calls[1] == {
        "path": "/oauth/token",
        "grant_type": "authorization_code",
        "client_id": "app_1",
        "code": "ac_1",
        "redirect_uri": f"{server.url}/deviceauth/callback",
        "code_verifier": "v",
    }


@pytest.mark.parametrize(
    ("status", "body", "code", "permanent"),
    [
        (401, REUSED, "refresh_token_reused", True),
        (401, {"error": "refresh_token_expired"}, "refresh_token_expired", True),
        (401, {"code": "refresh_token_invalidated"}, "refresh_token_invalidated", True),
        (401, {"detail": "Unauthorized"}, "http_401", True),
        (401, "Unauthorized", "http_401", True),
        (400, {"error": "invalid_grant", "error_description": "no"}, "invalid_grant", True),
        (400, {"error": {"type": "invalid_grant"}}, "invalid_grant", True),
        (400, {"error": "invalid_request"}, "invalid_request", False),
        (400, "", "http_400", False),
        (401, {"error": "invalid_client"}, "invalid_client", False),
        (403, {"error": {"code": "unsupported_country"}}, "unsupported_country", False),
    ],
)
async def test_a_no_says_whether_it_is_for_good(
    server: TokenServer,
    endpoint: TokenEndpoint,
    status: int,
    body: Any,
    code: str,
    permanent: bool,
) -> None:
    server.script = [says(body, status=status)]

    with pytest.raises(GrantRefused) as caught:
        await endpoint.refresh("rt_canary")
    refusal = caught.value
    assert (refusal.code, refusal.permanent, refusal.status) == (code, permanent, status)
    assert "canary" not in str(refusal)


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (500, "", "http_500"),
        (503, {"error": {"code": "server_error"}}, "server_error"),
        (429, {"error": {"code": "rate_limit_exceeded"}}, "rate_limit_exceeded"),
        (403, " <!DOCTYPE html>", "http_403_page"),
        (200, "<html>", "malformed_answer"),
        (200, {"token_type": "Bearer"}, "empty_answer"),
        (200, {"access_token": 7}, "empty_answer"),
    ],
)
async def test_everything_else_may_pass(
    server: TokenServer, endpoint: TokenEndpoint, status: int, body: Any, code: str
) -> None:
    server.script = [says(body, status=status, **{"retry-after": "9"})]

    with pytest.raises(GrantUnavailable) as caught:
        await endpoint.refresh("rt_1")
    assert (caught.value.code, caught.value.sent) == (code, True)
    assert caught.value.retry_after in (0, 9)


async def test_a_server_that_was_not_reached_has_spent_no_token() -> None:
    async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
        endpoint = TokenEndpoint(http, issuer="http://127.0.0.1:9", client_id="a", identity={})
        with pytest.raises(GrantUnavailable) as caught:
            await endpoint.refresh("rt_1")
    assert caught.value.sent is False
    assert repr(endpoint) == "<TokenEndpoint http://127.0.0.1:9>"


async def test_a_connection_lost_after_sending_may_have_spent_the_token(
    server: TokenServer, endpoint: TokenEndpoint
) -> None:
    server.script = [hangs_up]
    with pytest.raises(GrantUnavailable) as caught:
        await endpoint.refresh("rt_1")
    assert caught.value.sent is True


def test_a_token_says_itself_when_it_ends_before_its_envelope_does() -> None:
    token = an_access_token(exp=NOW + 5)

    assert Grant(access_token=token, expires_in=99).expires_at(NOW) == NOW + 5
    assert Grant(access_token=a_jwt(sub="x"), expires_in=99).expires_at(NOW) == NOW + 99
    assert Grant(access_token="opaque").expires_at(NOW) == 0
    assert Grant(access_token=token).claims().chatgpt_account_id == "ws-1"


def test_a_grant_prints_which_tokens_it_has_and_none_of_them() -> None:
    grant = Grant(access_token="canary", id_token="canary")

    assert repr(grant) == "<Grant of access, id>"
    assert repr(Grant()) == "<Grant of nothing>"
