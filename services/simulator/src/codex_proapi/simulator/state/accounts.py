"""The invented logins of the simulator and what they may use.

Nothing here is a real person, workspace or token; the tokens are signed with a key everybody knows.
"""

import base64
import dataclasses
import hashlib
import hmac
import uuid
from typing import Any

import msgspec

AUTH_CLAIM = "https://api.openai.com/auth"
PROFILE_CLAIM = "https://api.openai.com/profile"
CLIENT_ID = "app_EMoamEEZ73f0CkXaXp7hrann"
ISSUER = "https://auth.openai.com"
ACCESS_SECONDS = 864_000
"""Access tokens of this client live ten days."""

_NAMESPACE = uuid.UUID("6f3a2c1e-5b7d-4e88-9a10-2f4c6d8e0b12")
_SIGNING_KEY = b"simulated tokens protect nothing"


@dataclasses.dataclass
class SavedReset:
    """A reset of an account's windows that it may redeem once."""

    id: str
    expires_at: float
    """Seconds since the epoch."""
    granted_at: float = 0.0
    redeemed_by: str = ""
    """The id of the request that redeemed it; empty is not yet."""


@dataclasses.dataclass
class SimulatedAccount:
    """One invented ChatGPT login with its workspace, plan and remaining quota."""

    name: str
    """Its name in tests and on the consent page."""
    plan: str = "plus"
    """ChatGPT plan, as in the claims."""
    email: str = ""
    """E-mail address; several accounts may share one."""
    workspace: str = ""
    """The `chatgpt-account-id`."""
    user_id: str = ""
    """The `chatgpt_user_id`."""
    fedramp: bool = False
    """Whether the claims have the FedRAMP flag."""
    used_percent: float = 12.0
    """Percent of the shortest window that is spent."""
    percent_per_request: float = 0.05
    """Percent of the shortest window that each answer spends."""
    window_passed: float = 0.5
    """The part of each of its windows that had passed when they were first reported."""
    windows_since: float = 0.0
    """When that was, seconds since the epoch; 0 is not yet."""
    models: tuple[str, ...] | None = None
    """The only models it has; None: those of its plan."""
    deactivated: bool = False
    """Whether every call is refused for good."""
    first_valid_token: int = 0
    """Access tokens with a lower number are invalidated."""
    access_key_number: int = 0
    """Number of its present `at-…` token; those before it are deleted."""
    answers: int = 0
    """Number of answers it has given."""
    saved_resets: list[SavedReset] = dataclasses.field(default_factory=list)
    """Its saved resets, redeemed ones too."""
    reserve_used: float | None = None
    """Percent of its reserve (`gpt-reserve`) that is spent; None: it has none."""
    reserve_model: str = "gpt-5.6-luna"
    """The model that its reserve serves."""
    resets_redeemed: int = 0
    """How often a reset took effect."""

    def __post_init__(self) -> None:
        self.email = self.email or f"{self.name}@example.com"
        self.workspace = self.workspace or str(uuid.uuid5(_NAMESPACE, f"workspace {self.name}"))
        digest = hashlib.sha256(self.email.encode()).hexdigest()
        self.user_id = self.user_id or f"user-{digest[:24]}"

    @property
    def structure(self) -> str:
        """Whether the workspace is one person's or a company's."""
        return "personal" if self.plan in {"free", "go", "plus", "pro", "guest"} else "workspace"

    @property
    def access_key(self) -> str:
        """Its long-lived `at-…` access token, as business plans can make."""
        of = f"{self.workspace}{self.user_id}{self.access_key_number or ''}"
        return "at-" + hashlib.sha256(of.encode()).hexdigest()[:40]


def default_accounts() -> list[SimulatedAccount]:
    """Three logins of different plans."""
    return [
        SimulatedAccount(name="ada", plan="plus", used_percent=12),
        SimulatedAccount(name="ben", plan="pro", used_percent=31),
        SimulatedAccount(name="cleo", plan="team", email="cleo@example.org", used_percent=64),
    ]


def sign_token(claims: dict[str, Any]) -> str:
    """A JWT (HS256) with these claims."""
    head = _encode_part({"alg": "HS256", "kid": "simulated", "typ": "JWT"})
    payload = _encode_part(claims)
    return f"{head}.{payload}.{_signature(f'{head}.{payload}')}"


def read_token(token: str) -> dict[str, Any] | None:
    """The claims of a token made by `sign_token`; None for anything else."""
    signed, _, signature = token.rpartition(".")
    if not signed or not hmac.compare_digest(signature.encode(), _signature(signed).encode()):
        return None
    payload = signed.partition(".")[2]
    padded = payload + "=" * (-len(payload) % 4)
    claims: dict[str, Any] = msgspec.json.decode(base64.urlsafe_b64decode(padded))
    return claims


def access_claims(
    account: SimulatedAccount, *, issued_at: float, expires_in: float, token_id: str
) -> dict[str, Any]:
    """The claims of an access token of this account."""
    return {
        "iss": ISSUER,
        "aud": ["https://api.openai.com/v1"],
        "client_id": CLIENT_ID,
        "sub": f"auth0|{account.user_id.removeprefix('user-')}",
        "sid": f"sess_{token_id}",
        "jti": token_id,
        "iat": int(issued_at),
        "nbf": int(issued_at),
        "exp": int(issued_at + expires_in),
        "scp": ["openid", "profile", "email", "offline_access"],
        AUTH_CLAIM: _account_claim(account),
        PROFILE_CLAIM: {"email": account.email, "email_verified": True},
    }


def id_claims(
    account: SimulatedAccount, *, issued_at: float, expires_in: float, token_id: str
) -> dict[str, Any]:
    """The claims of an id token of this account."""
    organization = {
        "id": f"org-{account.workspace[:8]}",
        "title": "Personal" if account.structure == "personal" else "Example Works",
        "role": "owner",
        "is_default": True,
    }
    return {
        "iss": ISSUER,
        "aud": [CLIENT_ID],
        "sub": f"auth0|{account.user_id.removeprefix('user-')}",
        "sid": f"sess_{token_id}",
        "jti": f"id-{token_id}",
        "iat": int(issued_at),
        "exp": int(issued_at + min(expires_in, 3600)),
        "email": account.email,
        "email_verified": True,
        "name": account.name.title(),
        AUTH_CLAIM: {**_account_claim(account), "organizations": [organization], "groups": []},
    }


def _account_claim(account: SimulatedAccount) -> dict[str, Any]:
    return {
        "chatgpt_account_id": account.workspace,
        "chatgpt_account_user_id": f"{account.user_id}__{account.workspace}",
        "chatgpt_plan_type": account.plan,
        "chatgpt_user_id": account.user_id,
        "user_id": account.user_id,
        "chatgpt_account_is_fedramp": account.fedramp,
        "completed_platform_onboarding": True,
    }


def _encode_part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(value)).rstrip(b"=").decode()


def _signature(signed: str) -> str:
    digest = hmac.digest(_SIGNING_KEY, signed.encode(), "sha256")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
