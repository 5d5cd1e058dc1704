"""The administrator's routes of owners: list, add, rename, invite, sign out, remove."""

from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from litestar import Request, delete, get, patch, post
from litestar.params import JSONBody

from codex_proapi.commons.accounts.one_line import MOST_NAME
from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.console.auth.audit import Audit, Facts
from codex_proapi.console.auth.request_author import audit_event
from codex_proapi.console.errors import BadRequest, Code, Conflict, NotFound
from codex_proapi.console.owners.owner_access import NONE, OwnerAccess, OwnerAccesses
from codex_proapi.console.owners.owner_store import (
    MOST_OWNERS,
    Owner,
    OwnerStore,
    new_owner,
)
from codex_proapi.console.server.dependencies import Injected
from codex_proapi.console.server.middleware import origin_of
from codex_proapi.console.server.parameters import Id
from codex_proapi.console.settings import ConsoleSettings

AnyRequest = Request[Any, Any, Any]
OwnerName = Annotated[str, msgspec.Meta(min_length=1, max_length=MOST_NAME)]
ENTRY_PAGE = "/owner/enter"
"""Where an invitation leads."""


class OwnerDraft(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An owner to add, or to rename."""

    name: OwnerName


class OwnerBody(msgspec.Struct, frozen=True, kw_only=True):
    """One owner. Never holds a link or a cookie."""

    id: str
    name: str
    created_at: int
    invitation_ends_at: int
    """When the invitation ends that waits to be opened; 0 is none."""
    signed_in_at: int
    """When the owner's browser opened its invitation; 0 without a session."""
    seen_at: int
    """When that browser was here last, to a minute; 0 without a session."""
    agent: str
    """That browser, as it calls itself."""
    accounts: tuple[str, ...]
    """Ids of the owner's accounts."""


class OwnerList(msgspec.Struct, frozen=True, kw_only=True):
    """Every owner, oldest first."""

    owners: list[OwnerBody]


class Invitation(msgspec.Struct, frozen=True, kw_only=True):
    """A link for one entry, the only time it is shown."""

    owner: str
    """The owner's id."""
    link: str
    expires_at: int


class OwnerBodies:
    """Builds the API's owners."""

    def __init__(
        self,
        *,
        owners: OwnerStore,
        accesses: OwnerAccesses,
        accounts: AccountStore,
        clock: Callable[[], float],
    ) -> None:
        self._owners = owners
        self._accesses = accesses
        self._accounts = accounts
        self._clock = clock

    def __repr__(self) -> str:
        return "<OwnerBodies>"

    async def all(self) -> list[OwnerBody]:
        """Every owner, oldest first."""
        return await self._draw(await self._owners.all())

    async def one(self, owner_id: str) -> OwnerBody:
        """One owner, or NotFound."""
        owner = await self._owners.get(owner_id)
        if owner is None:
            raise NotFound(Code.UNKNOWN_OWNER)
        return (await self._draw([owner]))[0]

    async def _draw(self, owners: list[Owner]) -> list[OwnerBody]:
        held: dict[str, list[str]] = {}
        for account in await self._accounts.list():
            held.setdefault(account.owner, []).append(account.id)
        accesses = await self._accesses.all([owner.id for owner in owners])
        now = self._clock()
        return [
            _body(
                owner,
                access=accesses.get(owner.id, NONE),
                accounts=tuple(held.get(owner.id, ())),
                now=now,
            )
            for owner in owners
        ]


@get("/api/owners", tags=["owners"])
async def list_owners(owner_bodies: Injected[OwnerBodies]) -> OwnerList:
    """Every owner of accounts, oldest first."""
    return OwnerList(owners=await owner_bodies.all())


@post("/api/owners", tags=["owners"])
async def add_owner(
    *,
    request: AnyRequest,
    data: JSONBody[OwnerDraft],
    owners: Injected[OwnerStore],
    owner_bodies: Injected[OwnerBodies],
    audit: Injected[Audit],
    clock: Injected[Callable[[], float]],
) -> OwnerBody:
    """Add an owner, who gets in with an invitation."""
    if len(await owners.all()) >= MOST_OWNERS:
        raise Conflict(Code.TOO_MANY_OWNERS)
    owner = new_owner(_name_in(data), now=int(clock()))
    await owners.put(owner)
    after = {"owner": owner.id, "name": owner.name}
    await audit.note(audit_event(request, "owner.added", after=after))
    return await owner_bodies.one(owner.id)


@patch("/api/owners/{owner_id:str}", tags=["owners"])
async def rename_owner(
    *,
    request: AnyRequest,
    owner_id: Id,
    data: JSONBody[OwnerDraft],
    owners: Injected[OwnerStore],
    owner_bodies: Injected[OwnerBodies],
    audit: Injected[Audit],
) -> OwnerBody:
    """Rename an owner."""
    before = await _found(owners, owner_id)
    after = msgspec.structs.replace(before, name=_name_in(data))
    if after != before:
        if not await owners.rename(after):
            raise NotFound(Code.UNKNOWN_OWNER)
        await audit.note(
            audit_event(
                request,
                "owner.renamed",
                before={"owner": owner_id, "name": before.name},
                after={"owner": owner_id, "name": after.name},
            )
        )
    return await owner_bodies.one(owner_id)


@post("/api/owners/{owner_id:str}/invitation", tags=["owners"])
async def invite_owner(
    *,
    request: AnyRequest,
    owner_id: Id,
    owners: Injected[OwnerStore],
    owner_accesses: Injected[OwnerAccesses],
    audit: Injected[Audit],
    settings: Injected[ConsoleSettings],
) -> Invitation:
    """Make an owner's invitation: a link that lets one browser in, once, within three days.

    It replaces an earlier one, and ends the owner's session.
    """
    owner = await _found(owners, owner_id)
    made = await owner_accesses.invite(owner_id)
    if made is None:
        raise NotFound(Code.UNKNOWN_OWNER)
    token, expires_at = made
    after: Facts = {"owner": owner_id, "name": owner.name, "expires_at": expires_at}
    await audit.note(audit_event(request, "owner.invited", after=after))
    base = settings.public_url or origin_of(request.scope).address
    return Invitation(owner=owner_id, link=entry_link(base, token), expires_at=expires_at)


@delete("/api/owners/{owner_id:str}/session", tags=["owners"], status_code=204)
async def end_owner_session(
    *,
    request: AnyRequest,
    owner_id: Id,
    owners: Injected[OwnerStore],
    owner_accesses: Injected[OwnerAccesses],
    audit: Injected[Audit],
) -> None:
    """Sign an owner's browser out, or take back an invitation that waits."""
    owner = await _found(owners, owner_id)
    if not await owner_accesses.end(owner_id):
        raise NotFound(Code.UNKNOWN_SESSION)
    after = {"owner": owner_id, "name": owner.name}
    await audit.note(audit_event(request, "owner.session_ended", after=after))


@delete("/api/owners/{owner_id:str}", tags=["owners"], status_code=204)
async def remove_owner(
    *,
    request: AnyRequest,
    owner_id: Id,
    owners: Injected[OwnerStore],
    owner_bodies: Injected[OwnerBodies],
    audit: Injected[Audit],
) -> None:
    """Remove an owner who has no accounts (any more), with his invitation and session."""
    owner = await owner_bodies.one(owner_id)
    if owner.accounts:
        raise Conflict(Code.OWNER_HAS_ACCOUNTS)
    await owners.remove(owner_id)
    before = {"owner": owner_id, "name": owner.name}
    await audit.note(audit_event(request, "owner.removed", before=before))


def entry_link(base: str, token: str) -> str:
    """The link of an invitation."""
    return f"{base.rstrip('/')}{ENTRY_PAGE}?link={token}"


async def _found(owners: OwnerStore, owner_id: str) -> Owner:
    owner = await owners.get(owner_id)
    if owner is None:
        raise NotFound(Code.UNKNOWN_OWNER)
    return owner


def _name_in(data: OwnerDraft) -> str:
    name = " ".join(data.name.split())
    if not name:
        raise BadRequest(param="name")
    return name


def _body(owner: Owner, *, access: OwnerAccess, accounts: tuple[str, ...], now: float) -> OwnerBody:
    signed_in = access.signed_in(now)
    return OwnerBody(
        id=owner.id,
        name=owner.name,
        created_at=owner.created_at,
        invitation_ends_at=access.invite_ends if access.invited(now) else 0,
        signed_in_at=access.session_began if signed_in else 0,
        seen_at=access.session_seen if signed_in else 0,
        agent=access.agent if signed_in else "",
        accounts=accounts,
    )
