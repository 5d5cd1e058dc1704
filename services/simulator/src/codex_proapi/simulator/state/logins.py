"""The state of the authorization server: codes, token families, device codes.

It has no clock and no socket: times are arguments. HTTP is in `authorization_server`.
"""

import base64
import dataclasses
import hashlib
import secrets
from typing import Any

from codex_proapi.simulator.state.accounts import (
    ACCESS_SECONDS,
    SimulatedAccount,
    access_claims,
    id_claims,
    sign_token,
)
from codex_proapi.simulator.state.refusals import Circumstance, Refusal, oauth_error, refuse

CODE_SECONDS = 600
DEVICE_SECONDS = 900
REDIRECTS = frozenset(
    f"http://{host}:{port}/auth/callback"
    for host in ("localhost", "127.0.0.1")
    for port in (1455, 1457)
)
DEVICE_REDIRECT = "https://auth.openai.com/deviceauth/callback"


@dataclasses.dataclass
class Code:
    """An authorization code waiting for its exchange."""

    account: SimulatedAccount
    challenge: str
    redirect_uri: str
    scope: str
    expires_at: float
    used: bool = False


@dataclasses.dataclass
class RefreshToken:
    """A refresh token: single use."""

    account: SimulatedAccount
    family: str
    used: bool = False
    revoked: bool = False


@dataclasses.dataclass
class DeviceLogin:
    """A device code a person may still approve."""

    user_code: str
    expires_at: float
    approved_by: SimulatedAccount | None = None
    denied: bool = False


class Logins:
    """All logins, pending and finished."""

    def __init__(
        self, *, reuse_revokes: bool = False, access_seconds: float = ACCESS_SECONDS
    ) -> None:
        self.codes: dict[str, Code] = {}
        self.refresh_tokens: dict[str, RefreshToken] = {}
        self.devices: dict[str, DeviceLogin] = {}
        self.tokens_issued = 0
        self.reuse_revokes = reuse_revokes
        self.access_seconds = access_seconds

    def __repr__(self) -> str:
        return f"<Logins with {len(self.refresh_tokens)} refresh tokens>"

    def issue_tokens(
        self,
        account: SimulatedAccount,
        *,
        now: float,
        family: str = "",
        expires_in: float | None = None,
        scope: str = "openid profile email offline_access",
    ) -> dict[str, Any]:
        """A fresh token answer; the refresh token belongs to a family of one login."""
        lifetime = self.access_seconds if expires_in is None else expires_in
        self.tokens_issued += 1
        token_id = f"{self.tokens_issued}-{secrets.token_hex(12)}"
        # A token that is to be expired already was issued in the past.
        issued_at = min(now, now + lifetime - 1)
        ends_in = now + lifetime - issued_at
        identity = id_claims(account, issued_at=issued_at, expires_in=ends_in, token_id=token_id)
        access = access_claims(account, issued_at=issued_at, expires_in=ends_in, token_id=token_id)
        answer: dict[str, Any] = {
            "id_token": sign_token(identity),
            "access_token": sign_token(access),
            "token_type": "Bearer",
            "expires_in": int(lifetime),
            "scope": scope,
        }
        if "offline_access" in scope.split():
            refresh_token = "rt_" + secrets.token_urlsafe(48)
            self.refresh_tokens[refresh_token] = RefreshToken(
                account=account, family=family or token_id
            )
            answer["refresh_token"] = refresh_token
        return answer

    def issue_code(
        self,
        account: SimulatedAccount,
        *,
        challenge: str,
        redirect_uri: str,
        now: float,
        scope: str = "openid profile email offline_access",
    ) -> str:
        """An authorization code."""
        code = "ac_" + secrets.token_urlsafe(32)
        self.codes[code] = Code(
            account=account,
            challenge=challenge,
            redirect_uri=redirect_uri,
            scope=scope,
            expires_at=now + CODE_SECONDS,
        )
        return code

    def exchange(
        self, code: str, *, verifier: str, redirect_uri: str, now: float
    ) -> dict[str, Any] | Refusal:
        """Exchange an authorization code, once, for tokens; requires its PKCE verifier."""
        known = self.codes.get(code)
        if known is None or known.used or known.expires_at < now:
            return oauth_error("invalid_grant", "The authorization code is invalid or expired.")
        known.used = True
        if known.redirect_uri != redirect_uri:
            return oauth_error("invalid_grant", "The redirect_uri does not match.")
        if challenge_of(verifier) != known.challenge:
            return oauth_error("invalid_grant", "The PKCE code verifier does not match.")
        return self.issue_tokens(known.account, now=now, scope=known.scope)

    def refresh(self, token: str, *, now: float, keep: bool = False) -> dict[str, Any] | Refusal:
        """A rotated pair for a refresh token; `keep` leaves the old one valid."""
        at = Circumstance(now=now)
        if not token:
            return refuse("empty_refresh_token", at)
        known = self.refresh_tokens.get(token)
        if known is None or known.revoked:
            return refuse("refresh_token_invalidated", at)
        if known.account.deactivated:
            return refuse("account_deactivated", at)
        if known.used:
            if self.reuse_revokes:
                self.revoke_family(known.family)
            return refuse("refresh_token_reused", at)
        known.used = not keep
        return self.issue_tokens(known.account, now=now, family=known.family)

    def revoke_family(self, family: str) -> None:
        """End a login: none of its refresh tokens works again."""
        for token in self.refresh_tokens.values():
            token.revoked = token.revoked or token.family == family

    def revoke_account(self, account: SimulatedAccount) -> None:
        """End every login of an account."""
        for token in self.refresh_tokens.values():
            token.revoked = token.revoked or token.account is account

    def begin_device(self, *, now: float) -> tuple[str, DeviceLogin]:
        """A device code and what the user must type."""
        identity = "deviceauth_" + secrets.token_hex(16)
        letters = "".join(secrets.choice("BCDFGHJKLMNPQRSTVWXZ") for _ in range(4))
        login = DeviceLogin(
            user_code=f"{letters}-{secrets.randbelow(90_000) + 10_000}",
            expires_at=now + DEVICE_SECONDS,
        )
        self.devices[identity] = login
        return identity, login

    def poll_device(self, identity: str, user_code: str, *, now: float) -> dict[str, Any] | Refusal:
        """The code and its PKCE pair, once the login was approved."""
        login, at = self.devices.get(identity), Circumstance(now=now)
        if login is None or login.user_code != user_code:
            return refuse("authorization_pending", at)
        if login.expires_at < now:
            return refuse("deviceauth_expired", at)
        if login.denied:
            return refuse("access_denied", at)
        if login.approved_by is None:
            return refuse("authorization_pending", at)
        verifier = secrets.token_urlsafe(48)
        code = self.issue_code(
            login.approved_by,
            challenge=challenge_of(verifier),
            redirect_uri=DEVICE_REDIRECT,
            now=now,
        )
        del self.devices[identity]
        return {
            "authorization_code": code,
            "code_challenge": challenge_of(verifier),
            "code_verifier": verifier,
        }

    def device_of(self, user_code: str) -> DeviceLogin | None:
        """The device login with this user code."""
        wanted = user_code.strip().upper()
        return next((d for d in self.devices.values() if d.user_code == wanted), None)


def challenge_of(verifier: str) -> str:
    """The S256 challenge of a verifier."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
