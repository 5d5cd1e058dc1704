"""Routes of API keys: create, change, rotate, revoke."""

from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from litestar import Request, delete, get, patch, post
from litestar.params import FromQuery, JSONBody

from codex_proapi.commons.accounts.one_line import LINE_PATTERN, MOST_NAME, NAME_PATTERN
from codex_proapi.commons.api_keys.limits import Limits
from codex_proapi.commons.api_keys.store import LEAST_WEIGHT, MOST_WEIGHT, ApiKey, KeyStore
from codex_proapi.console.api.model_check import ModelCheck
from codex_proapi.console.auth.audit import Audit, Facts
from codex_proapi.console.auth.request_author import audit_event
from codex_proapi.console.errors import BadRequest, Code, Conflict, NotFound
from codex_proapi.console.server.dependencies import Injected
from codex_proapi.console.server.parameters import Id

AnyRequest = Request[Any, Any, Any]
Clock = Callable[[], float]

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=MOST_NAME, pattern=NAME_PATTERN)]
Owner = Annotated[str, msgspec.Meta(max_length=MOST_NAME, pattern=LINE_PATTERN)]
Group = Annotated[str, msgspec.Meta(max_length=MOST_NAME, pattern=rf"{LINE_PATTERN}(\S(.*\S)?)?$")]
"""The group of keys it belongs to, without spaces at its ends; empty is none."""
Ends = Annotated[int, msgspec.Meta(ge=0, le=4_102_444_800)]
"""Seconds since the epoch; 0 is never."""
Model = Annotated[str, msgspec.Meta(max_length=128)]
Models = Annotated[
    tuple[Annotated[str, msgspec.Meta(min_length=1, max_length=128)], ...],
    msgspec.Meta(max_length=200),
]
Accounts = Annotated[
    tuple[Annotated[str, msgspec.Meta(min_length=1, max_length=80)], ...],
    msgspec.Meta(max_length=500),
]
Effort = Annotated[str, msgspec.Meta(max_length=16, pattern=r"^[a-z]*$")]
Summary = Annotated[str, msgspec.Meta(pattern=r"^(none|auto|concise|detailed)?$")]
FastTier = Annotated[str, msgspec.Meta(pattern=r"^(ignore|refuse)?$")]
"""`ignore` leaves the fast tier out of its requests, `refuse` refuses them; empty allows it."""
Fallbacks = Annotated[
    str,
    msgspec.Meta(
        max_length=1000, pattern=r"^(none|[^=,\s]+ *= *[^=,\s]+( *, *[^=,\s]+ *= *[^=,\s]+)*)?$"
    ),
]
"""`model=other` pairs with commas, `none` for none, empty for the setting's; for small work
`class=model`."""
Most = Annotated[int, msgspec.Meta(ge=0, le=10**15)]
Weight = Annotated[float, msgspec.Meta(ge=LEAST_WEIGHT, le=MOST_WEIGHT)]
"""A key's share when the pool is scarce, in proportion to the others' weights."""
MOST_OVERLAP = 30 * 24 * 3600
"""Longest time a rotated key's old secret may go on working, in seconds."""


class LimitsBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a key may spend; 0 is no limit."""

    rpm: Most = 0
    tpm: Most = 0
    concurrent: Most = 0
    tokens_day: Most = 0
    tokens_week: Most = 0
    tokens_month: Most = 0
    micro_usd_day: Most = 0
    """Cost a day at list prices, in millionths of a US dollar; so below, in seven days and a month."""
    micro_usd_week: Most = 0
    micro_usd_month: Most = 0


class NewKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key to make."""

    name: Name
    owner: Owner = ""
    group: Group = ""
    expires_at: Ends = 0
    allowed_models: Models = ()
    default_model: Model = ""
    default_effort: Effort = ""
    reasoning_summary: Summary = ""
    max_effort: Effort = ""
    fast_tier: FastTier = ""
    model_fallbacks: Fallbacks = ""
    small_work_models: Fallbacks = ""
    allowed_accounts: Accounts = ()
    limits: LimitsBody = LimitsBody()
    weight: Weight = 1.0


class KeyChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change of a key; what is left out stays."""

    name: Name | msgspec.UnsetType = msgspec.UNSET
    owner: Owner | msgspec.UnsetType = msgspec.UNSET
    group: Group | msgspec.UnsetType = msgspec.UNSET
    expires_at: Ends | msgspec.UnsetType = msgspec.UNSET
    allowed_models: Models | msgspec.UnsetType = msgspec.UNSET
    default_model: Model | msgspec.UnsetType = msgspec.UNSET
    default_effort: Effort | msgspec.UnsetType = msgspec.UNSET
    reasoning_summary: Summary | msgspec.UnsetType = msgspec.UNSET
    max_effort: Effort | msgspec.UnsetType = msgspec.UNSET
    fast_tier: FastTier | msgspec.UnsetType = msgspec.UNSET
    model_fallbacks: Fallbacks | msgspec.UnsetType = msgspec.UNSET
    small_work_models: Fallbacks | msgspec.UnsetType = msgspec.UNSET
    allowed_accounts: Accounts | msgspec.UnsetType = msgspec.UNSET
    limits: LimitsBody | msgspec.UnsetType = msgspec.UNSET
    weight: Weight | msgspec.UnsetType = msgspec.UNSET


class Rotation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to rotate a key."""

    overlap_seconds: Annotated[int, msgspec.Meta(ge=0, le=MOST_OVERLAP)] = 0
    """How long the old secret goes on working."""


class KeyBody(msgspec.Struct, frozen=True, kw_only=True):
    """One API key, without its secret."""

    id: str
    name: str
    owner: str
    group: str
    prefix: str
    created_at: int
    expires_at: int
    expired: bool
    revoked: bool
    last_used_at: int
    allowed_models: tuple[str, ...]
    default_model: str
    default_effort: str
    reasoning_summary: str
    max_effort: str
    fast_tier: str
    model_fallbacks: str
    small_work_models: str
    allowed_accounts: tuple[str, ...]
    limits: LimitsBody
    weight: float


class MadeKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key just made or rotated; the only time its secret is shown."""

    key: KeyBody
    secret: str


class KeyList(msgspec.Struct, frozen=True, kw_only=True):
    """Every key, oldest first."""

    keys: list[KeyBody]


@get("/api/keys", tags=["keys"])
async def list_keys(keys: Injected[KeyStore], clock: Injected[Clock]) -> KeyList:
    """Every API key, revoked ones too."""
    now = clock()
    return KeyList(keys=[key_body(key, now=now) for key in await keys.list()])


@post("/api/keys", tags=["keys"])
async def make_key(
    *,
    request: AnyRequest,
    data: JSONBody[NewKey],
    keys: Injected[KeyStore],
    model_check: Injected[ModelCheck],
    audit: Injected[Audit],
    clock: Injected[Clock],
) -> MadeKey:
    """Make an API key; its secret is shown here and nowhere else."""
    now = clock()
    _check_end(data.expires_at, now=now)
    await model_check.of_key(data.allowed_models, data.default_model)
    await model_check.of_fallbacks(data.model_fallbacks)
    await model_check.of_small_work(data.small_work_models)
    facts = {name: getattr(data, name) for name in data.__struct_fields__ if name != "name"}
    facts |= {"created_at": int(now), "limits": _limits(data.limits)}
    key, secret = await keys.create(data.name.strip(), **facts)
    after: Facts = {"name": key.name, "owner": key.owner, "expires_at": key.expires_at}
    await audit.note(audit_event(request, "key.made", key_id=key.id, after=after))
    return MadeKey(key=key_body(key, now=now), secret=secret)


@patch("/api/keys/{key_id:str}", tags=["keys"])
async def change_key(
    *,
    request: AnyRequest,
    key_id: Id,
    data: JSONBody[KeyChange],
    keys: Injected[KeyStore],
    model_check: Injected[ModelCheck],
    audit: Injected[Audit],
    clock: Injected[Clock],
) -> KeyBody:
    """Change an API key, on every replica with its next request."""
    before = await _living(keys, key_id)
    changes = {
        name: value
        for name in data.__struct_fields__
        if (value := getattr(data, name)) is not msgspec.UNSET
    }
    if isinstance(data.expires_at, int):
        _check_end(data.expires_at, now=clock())
    if isinstance(data.limits, LimitsBody):
        changes["limits"] = _limits(data.limits)
    if not changes:
        return key_body(before, now=clock())
    await model_check.of_key(
        changes.get("allowed_models", ()), changes.get("default_model", ""), before=before
    )
    await model_check.of_fallbacks(changes.get("model_fallbacks"), before=before.model_fallbacks)
    await model_check.of_small_work(
        changes.get("small_work_models"), before=before.small_work_models
    )
    after = await keys.patch(key_id, **changes)
    if after is None:
        raise NotFound(Code.UNKNOWN_KEY)
    differing = [name for name in changes if getattr(before, name) != getattr(after, name)]
    if differing:
        await audit.note(
            audit_event(
                request,
                "key.changed",
                key_id=key_id,
                before={name: audit_value(getattr(before, name)) for name in differing},
                after={name: audit_value(getattr(after, name)) for name in differing},
            )
        )
    return key_body(after, now=clock())


@post("/api/keys/{key_id:str}/rotate", tags=["keys"])
async def rotate_key(
    *,
    request: AnyRequest,
    key_id: Id,
    data: JSONBody[Rotation],
    keys: Injected[KeyStore],
    audit: Injected[Audit],
    clock: Injected[Clock],
) -> MadeKey:
    """Give a key another secret; the old one may go on working for a while."""
    await _living(keys, key_id)
    secret = await keys.rotate(key_id, overlap=data.overlap_seconds)
    key = await keys.get(key_id)
    if secret is None or key is None:
        raise NotFound(Code.UNKNOWN_KEY)
    after = {"overlap_seconds": data.overlap_seconds}
    await audit.note(audit_event(request, "key.rotated", key_id=key_id, after=after))
    return MadeKey(key=key_body(key, now=clock()), secret=secret)


@delete("/api/keys/{key_id:str}", tags=["keys"], status_code=204)
async def revoke_key(
    *,
    request: AnyRequest,
    key_id: Id,
    keys: Injected[KeyStore],
    audit: Injected[Audit],
    forget: FromQuery[bool] = False,
) -> None:
    """Revoke a key at once; it stays in the list until it is deleted with `forget=true`."""
    key = await keys.get(key_id)
    if key is None:
        raise NotFound(Code.UNKNOWN_KEY)
    before = {"name": key.name, "prefix": key.prefix}
    if forget:
        await keys.remove(key_id)
        await audit.note(audit_event(request, "key.removed", key_id=key_id, before=before))
    elif not key.revoked:
        await keys.revoke(key_id)
        await audit.note(audit_event(request, "key.revoked", key_id=key_id, before=before))


def key_body(key: ApiKey, *, now: float) -> KeyBody:
    """A key as the API shows it."""
    return KeyBody(
        id=key.id,
        name=key.name,
        owner=key.owner,
        group=key.group,
        prefix=key.prefix,
        created_at=key.created_at,
        expires_at=key.expires_at,
        expired=key.expired(now),
        revoked=key.revoked,
        last_used_at=key.last_used_at,
        allowed_models=key.allowed_models,
        default_model=key.default_model,
        default_effort=key.default_effort,
        reasoning_summary=key.reasoning_summary,
        max_effort=key.max_effort,
        fast_tier=key.fast_tier,
        model_fallbacks=key.model_fallbacks,
        small_work_models=key.small_work_models,
        allowed_accounts=key.allowed_accounts,
        limits=LimitsBody(**msgspec.structs.asdict(key.limits)),
        weight=key.weight,
    )


async def _living(keys: KeyStore, key_id: str) -> ApiKey:
    key = await keys.get(key_id)
    if key is None:
        raise NotFound(Code.UNKNOWN_KEY)
    if key.revoked:
        raise Conflict(Code.KEY_REVOKED)
    return key


def _limits(body: LimitsBody) -> Limits:
    return Limits(**msgspec.structs.asdict(body))


def _check_end(expires_at: int, *, now: float) -> None:
    if 0 < expires_at <= now:
        raise BadRequest(Code.INVALID_VALUE, param="expires_at")


def audit_value(value: object) -> str | int | float | bool:
    """A field of a key as the audit keeps it."""
    return value if isinstance(value, str | int | float) else msgspec.json.encode(value).decode()
