"""Account, credential and cooldown: pure values, kept by the stores."""

import enum
import hashlib

import msgspec

from codex_proapi.commons.owner_terms.terms import NO_TERMS, Consent, OwnerTerms

CHATGPT = "chatgpt"
"""The kind of an account whose record names none: a ChatGPT login."""
PERSONAL_TOKEN = "personal_token"  # noqa: S105 - a kind, no token
"""The kind of an account that is used with a personal access token, `at-…`."""


class AccountState(enum.StrEnum):
    """Whether an account's login works. Pausing is the owner's choice and kept apart."""

    ACTIVE = "active"
    """The login works as far as we know."""
    REVOKED = "revoked"
    """Refused for good by the authorization server: sign in again, or replace the personal access
    token. A login is usable until its token ends."""
    DEACTIVATED = "deactivated"
    """Banned, or its workspace or plan has no Codex: nothing we do can revive it."""
    UNKNOWN = "unknown"
    """A state, or a kind of account, that only a newer version knows. Never written; not usable."""

    @classmethod
    def _missing_(cls, value: object) -> "AccountState":
        del value
        return cls.UNKNOWN


class CooldownReason(enum.StrEnum):
    """Why an account is passed over for a while."""

    QUOTA = "quota"
    """A usage window is spent; ends at its reset, or at any fresh sign of recovery."""
    RATE = "rate"
    """Too many requests in a short time."""
    TRANSIENT = "transient"
    """Several faults of infrastructure in a row. Never ejects the last account."""
    CREDENTIAL = "credential"
    """Its token was refused and could not be renewed for now."""
    ENTITLEMENT = "entitlement"
    """Its plan or workspace refused Codex, or the model."""
    SUBSTITUTED = "substituted"
    """Another model answered in place of the one that was sent. Never ejects the last account."""
    UNKNOWN = "unknown"
    """A reason that only a newer version knows. Never written; a cooldown like any other."""

    @classmethod
    def _missing_(cls, value: object) -> "CooldownReason":
        del value
        return cls.UNKNOWN


class Cooldown(msgspec.Struct, frozen=True, kw_only=True):
    """Until when an account is passed over, and why."""

    until: float
    """End, seconds since the epoch (Redis' clock)."""
    reason: CooldownReason = CooldownReason.UNKNOWN
    """Why."""
    since: float = 0.0
    """Begin, seconds since the epoch; 0 is unknown."""
    code: str = ""
    """Upstream's error code, if it gave one; of a substitution the model that answered."""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """One account that requests may be sent with. Holds no token."""

    id: str
    """Our opaque id, `acc_…`, derived from the identity; safe in logs and metrics."""
    name: str
    """Name given by its owner; the e-mail address unless renamed."""
    email: str = ""
    """E-mail address from the claims; one address may own several accounts."""
    plan: str = ""
    """ChatGPT plan, an open set of strings (`plus`, `pro`, `team`, …)."""
    kind: str = CHATGPT
    """What it is, a key of `kinds.KINDS`; of a kind not known here, its state is unknown too."""
    chatgpt_account_id: str
    """Workspace id: the value of the `chatgpt-account-id` header."""
    chatgpt_user_id: str = ""
    """User id; with the workspace id it is the identity of an account."""
    fedramp: bool = False
    """Whether requests need `x-openai-fedramp: true`."""
    source: str = "auth_json"
    """How it was added: `auth_json`, `browser`, `pasted`, `device`, `access_token`."""
    paused: bool = False
    """Whether the administrator has taken it out of rotation; its owner's pause is in the terms."""
    weight: float = 1.0
    """Weight of its share of new conversations, relative to the others."""
    owner: str = ""
    """Id of its owner; empty if it has none but the administrator."""
    terms: OwnerTerms = NO_TERMS
    """On which terms its owner offers it."""
    state: AccountState = AccountState.ACTIVE
    """Whether its login works."""
    state_reason: str = ""
    """The error code behind a state other than active."""
    token_expires_at: int = 0
    """When its access token ends, seconds since the epoch; 0 is unknown. Of a personal access token
    what its owner has told: it is used until it is refused all the same."""
    created_at: int = 0
    """When it was added, seconds since the epoch."""
    last_used_at: int = 0
    """When it last served an answer, seconds since the epoch; 0 is never."""
    last_error: str = ""
    """Code of its last refusal; empty after a success."""
    last_error_at: int = 0
    """When that was, seconds since the epoch."""

    @property
    def is_paused(self) -> bool:
        """Whether the administrator or the owner has paused it."""
        return self.paused or self.terms.paused

    def works(self, now: float) -> bool:
        """Whether its login can be used: a revoked one until its access token ends."""
        match self.state:
            case AccountState.ACTIVE:
                return True
            case AccountState.REVOKED:
                return self.token_expires_at > now
            case AccountState.DEACTIVATED | AccountState.UNKNOWN:
                return False


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """An account's tokens, with expiry and generation. Its repr hides them."""

    account_id: str
    """Our account id; sealed in with the tokens and compared after opening."""
    access_token: str
    """Bearer of upstream requests."""
    refresh_token: str = ""
    """Single use, rotates; empty when the import had none."""
    id_token: str = ""
    """Kept for its claims."""
    expires_at: int = 0
    """`exp` of the access token, seconds since the epoch; 0 when unreadable."""
    refreshed_at: int = 0
    """When these tokens were issued to us, seconds since the epoch."""
    generation: int = 0
    """Counts refreshes; makes saving compare-and-set."""
    kind: str = CHATGPT
    """That of its account's record."""

    def __repr__(self) -> str:
        return f"<Credential of {self.account_id} g{self.generation} until {self.expires_at}>"


def account_id_of(chatgpt_account_id: str, chatgpt_user_id: str) -> str:
    """The id for an identity: the same login imported twice is the same account."""
    digest = hashlib.sha256(f"{chatgpt_account_id}\n{chatgpt_user_id}".encode()).hexdigest()
    return f"acc_{digest[:12]}"


def token_digest(token: str) -> str:
    """A digest that stands for a refresh token in Redis; random tokens need no pepper."""
    return hashlib.sha256(token.encode()).hexdigest()[:40] if token else ""


class NewAccount(msgspec.Struct, frozen=True, kw_only=True):
    """A login to be added. Its repr hides the tokens."""

    kind: str = CHATGPT
    """What it is, a key of `kinds.KINDS`."""
    chatgpt_account_id: str
    """Workspace id."""
    chatgpt_user_id: str = ""
    """User id."""
    access_token: str
    """Bearer of upstream requests."""
    refresh_token: str = ""
    """Empty when the login has none."""
    id_token: str = ""
    """Kept for its claims."""
    expires_at: int = 0
    """`exp` of the access token, seconds since the epoch; 0 when unreadable."""
    refreshed_at: int = 0
    """When the tokens were issued, seconds since the epoch."""
    name: str = ""
    """What its owner calls it; empty keeps the name it has, or takes the e-mail address."""
    email: str = ""
    """E-mail address."""
    plan: str = ""
    """ChatGPT plan."""
    fedramp: bool = False
    """Whether requests need the FedRAMP header."""
    source: str = "auth_json"
    """How it came in."""
    created_at: int = 0
    """Now, seconds since the epoch."""
    owner: str = ""
    """Id of the owner who signed in; empty is the administrator, and leaves owner and terms as they are."""
    consent: Consent = Consent()
    """What that owner has agreed to; of the administrator none."""

    def __repr__(self) -> str:
        return f"<NewAccount {account_id_of(self.chatgpt_account_id, self.chatgpt_user_id)}>"
