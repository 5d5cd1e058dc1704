"""Store of accounts and their credentials.

Every change of an account or credential increments `accounts-version`; a view reloads when the
version in a snapshot differs from its own. `last_used_at` is no such change: settlement writes it
with the exchange.
"""

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from redis.asyncio import Redis

from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.accounts.kinds import is_known, kind_of
from codex_proapi.commons.accounts.model import (
    CHATGPT,
    Account,
    AccountState,
    Credential,
    NewAccount,
    account_id_of,
    token_digest,
)
from codex_proapi.commons.accounts.one_line import MOST_EMAIL, MOST_NAME, MOST_PLAN, one_line
from codex_proapi.commons.codex.claims import claims_of_login
from codex_proapi.commons.codex.whoami import TokenOwner
from codex_proapi.commons.owner_terms.terms import OwnerTerms, read_terms, stored_terms
from codex_proapi.commons.redis import keyspace, operator_keys
from codex_proapi.commons.redis.clients import ask, text
from codex_proapi.commons.redis.hash_reads import HashReads, fields_of
from codex_proapi.commons.redis.scripts import Scripts
from codex_proapi.commons.redis.stored_reads import StoredRead, read_each
from codex_proapi.commons.redis.type_repair import Form, TypeRepair
from codex_proapi.commons.runtime.errors import (
    CredentialLocked,
    CredentialUnavailable,
    OwnedByOther,
    StoreUnavailable,
)
from codex_proapi.commons.runtime.stored_records import DecodedRecords, read_fields

_FORMS = {keyspace.accounts_version(): Form.VERSION, keyspace.cooldowns(): Form.HASH}
"""What is shared by all accounts, and replaced where it has another Redis type."""

_CLAIMS = 3
"""How often an owner's login is tried while the terms of its account change."""
_NOT_HIS, _TERMS_CHANGED = -1, -2
"""What the script that adds says where it has added nothing."""


class AccountStore:
    """The accounts, shared by every replica."""

    def __init__(self, redis: Redis, cipher: CredentialCipher) -> None:
        self._redis = redis
        self._cipher = cipher
        self._scripts = Scripts(redis, __package__)
        self._repair = TypeRepair(redis)
        self._hashes = HashReads(redis, "account")
        self._decoded: DecodedRecords[tuple[Any, ...], Account] = DecodedRecords()

    def __repr__(self) -> str:
        return "<AccountStore>"

    async def add(self, new: NewAccount, *, replace_locked: bool = False) -> Account:
        """Add a login; the same identity again keeps its id, age, name, pause and weight.

        Tokens older than the stored ones (an old file imported again) do not replace them. A
        credential that no encryption key of this process decrypts may work elsewhere: without
        `replace_locked` it stays and CredentialLocked is raised. A login of an owner makes the account
        his, with the consent in its terms; OwnedByOther if it is another owner's.
        """
        account_id = account_id_of(new.chatgpt_account_id, new.chatgpt_user_id)
        opens = await self._opens(account_id)
        if opens is False and not replace_locked:
            raise CredentialLocked(
                f"The login kept for {account_id} is sealed under an encryption key that is not "
                "among ours; it is not replaced."
            )
        credential = Credential(
            account_id=account_id,
            kind=new.kind,
            access_token=new.access_token,
            refresh_token=new.refresh_token,
            id_token=new.id_token,
            expires_at=new.expires_at,
            refreshed_at=new.refreshed_at,
        )
        keys = [
            *(keyspace.accounts(), keyspace.accounts_version()),
            *(keyspace.account(account_id), keyspace.credential(account_id)),
            *(keyspace.cooldowns(), keyspace.faults(account_id)),
            keyspace.refresh_pause(account_id),
            keyspace.refused_grant(token_digest(kind_of(credential).refresh_token(credential))),
            operator_keys.owners(),
        ]
        order = {
            "id": account_id,
            "sealed": self._cipher.seal(credential).decode(),
            "token": token_digest(new.refresh_token),
            "ends": new.expires_at,
            "opens": bool(opens),
            **_facts_of(new, account_id),
        }
        await self._add(new, keys, order)
        account = await self.get(account_id)
        if account is None:  # removed again by someone else in the same moment
            raise CredentialUnavailable(f"{account_id} was removed.")
        return account

    async def _add(self, new: NewAccount, keys: Sequence[str], order: Mapping[str, Any]) -> None:
        """Run the script that adds, an owner's login with its consent in the terms of that moment."""
        for _ in range(_CLAIMS):
            claim = await self._claim(new, str(order["id"])) if new.owner else {}
            args = [msgspec.json.encode({**order, **claim}).decode()]
            added = await self._run("add_account", keys, args, durably=True, replaced=keys[2:4])
            if int(added) == _NOT_HIS:
                raise OwnedByOther(f"{order['id']} belongs to another owner.")
            if int(added) != _TERMS_CHANGED:
                return
        raise StoreUnavailable("The terms of the account are being changed.")

    async def _claim(self, new: NewAccount, account_id: str) -> dict[str, str]:
        """What an owner's login adds: the owner, and the account's terms with the consent."""
        read = StoredRead("account", account_id, ("HGET", keyspace.account(account_id), "terms"))
        [kept] = await read_each(self._redis, [read])
        known = text(kept or "")
        before = read_terms(known)
        agreed = msgspec.structs.replace(before, consent=new.consent)
        terms = known if before.unreadable else stored_terms(agreed, known)
        return {"owner": new.owner, "known_terms": known, "terms": terms}

    async def get(self, account_id: str) -> Account | None:
        """One account, or None."""
        [fields] = await read_each(self._redis, [_account_read(account_id)])
        return _account(fields, account_id)

    async def list(self) -> Sequence[Account]:
        """Every account, oldest first."""
        names = {id_: keyspace.account(id_) for id_ in await self._ids()}
        read = await self._hashes.records(names)
        found = self._decoded.of(read, lambda record, id_: _account(fields_of(record), id_))
        return sorted(found.values(), key=lambda account: (account.created_at, account.id))

    async def load(self) -> Sequence[tuple[Account, int, str]]:
        """Every account with its credential's generation and sealed text, oldest first."""
        ids = await self._ids()
        reads = [read for id_ in ids for read in (_account_read(id_), _credential_read(id_))]
        replies = await read_each(self._redis, reads)
        loaded = [
            (account, *_sealed(kept))
            for account_id, fields, kept in zip(ids, replies[::2], replies[1::2], strict=True)
            if (account := _account(fields, account_id)) is not None
        ]
        return sorted(loaded, key=lambda entry: (entry[0].created_at, entry[0].id))

    async def _ids(self) -> Sequence[str]:
        return sorted(map(text, await ask(lambda: self._redis.smembers(keyspace.accounts()))))

    async def credential(self, account_id: str) -> Credential | None:
        """The credential of an account, read now; None if there is none.

        Raises CredentialUnavailable if it cannot be decrypted or its kind is not known here.
        """
        credential = await self._credential(account_id)
        if credential is not None and not is_known(credential.kind):
            raise CredentialUnavailable(f"{account_id} is of a kind this version does not know.")
        return credential

    def unseal(self, account_id: str, generation: int, sealed: str, *, kind: str) -> Credential:
        """Decrypt a credential as returned by `load`; `kind` is that of the account's record."""
        credential = self._cipher.open(sealed.encode(), account_id)
        return msgspec.structs.replace(credential, generation=generation, kind=kind)

    async def save_credential(
        self, credential: Credential, *, expected: int, owner: TokenOwner | None = None
    ) -> bool:
        """Save a refreshed credential as generation `expected + 1`; False if another came first.

        The account's plan becomes what the tokens, or their `owner`, say.
        """
        account_id = credential.account_id
        claims = claims_of_login(credential.id_token, credential.access_token)
        fields: dict[str, Any] = {"token_expires_at": credential.expires_at}
        if plan := claims.plan or (owner.plan if owner else ""):
            fields["plan"] = one_line(plan, MOST_PLAN)
        if owner is not None:
            fields["fedramp"] = owner.fedramp
        keys = [
            *(keyspace.credential(account_id), keyspace.account(account_id)),
            *(keyspace.accounts_version(), keyspace.cooldowns()),
            keyspace.refresh_pause(account_id),
        ]
        sealed = self._cipher.seal(credential).decode()
        digest = token_digest(credential.refresh_token)
        args = [account_id, expected, sealed, digest, *_pairs(fields)]
        saved = await self._repair.run(
            lambda: self._scripts.run("save_credential", keys, args, durably=True), lambda: _FORMS
        )
        return bool(saved)

    async def reseal(self) -> int:
        """Encrypt every credential again under the first key; returns for how many it worked."""
        resealed = 0
        for account, generation, sealed in await self.load():
            with contextlib.suppress(CredentialUnavailable):
                again = self._cipher.reseal(sealed.encode(), account.id)
                args = [generation, again.decode()]
                await self._scripts.repeat("reseal", [keyspace.credential(account.id)], args)
                resealed += 1
        return resealed

    async def mark(
        self,
        account_id: str,
        state: AccountState,
        reason: str,
        *,
        generation: int | None = None,
        token_expires_at: int | None = None,
    ) -> bool:
        """Set the state of a login; False if its credential's generation has changed."""
        fields: dict[str, Any] = {"state": state, "state_reason": reason}
        if token_expires_at is not None:
            fields["token_expires_at"] = token_expires_at
        return await self._change(account_id, fields, generation=generation)

    async def pause(self, account_id: str) -> bool:
        """Exclude an account from selection; False if it is unknown."""
        return await self._change(account_id, {"paused": True})

    async def resume(self, account_id: str) -> bool:
        """Include an account in selection again; False if it is unknown."""
        return await self._change(account_id, {"paused": False})

    async def rename(self, account_id: str, name: str) -> bool:
        """Rename an account; False if it is unknown."""
        return await self._change(account_id, {"name": name})

    async def set_weight(self, account_id: str, weight: float) -> bool:
        """Change an account's share of new conversations; False if it is unknown."""
        return await self._change(account_id, {"weight": weight})

    async def set_terms(
        self, account_id: str, terms: OwnerTerms, *, owner: str | None = None
    ) -> bool:
        """Replace the terms of an account; False if it is unknown, or not this owner's any more.

        They are to be checked before (`owner_terms.terms.check`). What only a newer version knows of
        the terms before stays.
        """
        read = StoredRead("account", account_id, ("HGET", keyspace.account(account_id), "terms"))
        [before] = await read_each(self._redis, [read])
        return await self._change(account_id, {"terms": stored_terms(terms, before)}, owner=owner)

    async def remove(self, account_id: str) -> bool:
        """Delete an account and its credential; its usage stays. False if it is unknown."""
        keys = [
            *(keyspace.accounts(), keyspace.accounts_version(), keyspace.cooldowns()),
            operator_keys.quota_changes(),
            *(keyspace.account(account_id), keyspace.credential(account_id)),
            *(keyspace.faults(account_id), keyspace.quota(account_id)),
            *(keyspace.catalogue(account_id), keyspace.refresh_pause(account_id)),
        ]
        return bool(await self._run("remove_account", keys, [account_id]))

    async def version(self) -> int:
        """Counter of changes to any account or credential."""
        return await self._repair.version(keyspace.accounts_version())

    async def _credential(self, account_id: str) -> Credential | None:
        """The credential of an account of any kind; None if there is none."""
        kind_read = StoredRead(
            "account", account_id, ("HGET", keyspace.account(account_id), "kind")
        )
        kept, kind = await read_each(self._redis, [_credential_read(account_id), kind_read])
        generation, sealed = _sealed(kept)
        if not generation or not sealed:
            return None
        known = CHATGPT if kind is None else text(kind)
        return self.unseal(account_id, generation, sealed, kind=known)

    async def _opens(self, account_id: str) -> bool | None:
        """Whether one of our keys opens the credential of an account; None if there is none."""
        try:
            return True if await self._credential(account_id) is not None else None
        except CredentialUnavailable:
            return False

    async def _change(
        self,
        account_id: str,
        fields: Mapping[str, Any],
        *,
        generation: int | None = None,
        owner: str | None = None,
    ) -> bool:
        keys = [
            *(keyspace.account(account_id), keyspace.credential(account_id)),
            keyspace.accounts_version(),
        ]
        expected = "" if generation is None else generation
        args = [expected, "*" if owner is None else owner, *_pairs(fields)]
        return bool(await self._run("change_account", keys, args))

    async def _run(
        self,
        script: str,
        keys: Sequence[str],
        args: Sequence[Any],
        *,
        durably: bool = False,
        replaced: Sequence[str] = (),
    ) -> Any:
        """Run an idempotent script; `replaced` are hashes that it may replace if they are none."""
        return await self._repair.run(
            lambda: self._scripts.repeat(script, keys, args, durably=durably),
            lambda: _FORMS | dict.fromkeys(replaced, Form.HASH),
        )


def _facts_of(new: NewAccount, account_id: str) -> dict[str, dict[str, str]]:
    """The account's fields to store: always, only with a working login, and only at first."""
    name, email = one_line(new.name, MOST_NAME), one_line(new.email, MOST_EMAIL)
    always: dict[str, Any] = {
        "id": account_id,
        "chatgpt_account_id": new.chatgpt_account_id,
        "chatgpt_user_id": new.chatgpt_user_id,
        **({"name": name} if name else {}),
    }
    login: dict[str, Any] = {
        "kind": new.kind,
        "email": email,
        "plan": one_line(new.plan, MOST_PLAN),
        "fedramp": new.fedramp,
        "source": new.source,
        "state": AccountState.ACTIVE,
        "state_reason": "",
        "last_error": "",
    }
    once = {
        **login,
        "name": email[:MOST_NAME] or account_id,
        "created_at": new.created_at,
        "token_expires_at": 0,
        "paused": False,
        "weight": 1.0,
    }
    groups = {"always": always, "login": login, "once": once}
    return {
        name: {field: _text(value) for field, value in fields.items()}
        for name, fields in groups.items()
    }


def _text(value: object) -> str:
    """A value as a field of a Redis hash."""
    return str(int(value)) if isinstance(value, bool) else str(value)


def _pairs(fields: Mapping[str, Any]) -> list[str]:
    """Fields as alternating names and texts."""
    return [part for name, value in fields.items() for part in (name, _text(value))]


def _account_read(account_id: str) -> StoredRead:
    return StoredRead("account", account_id, ("HGETALL", keyspace.account(account_id)))


def _credential_read(account_id: str) -> StoredRead:
    command = ("HMGET", keyspace.credential(account_id), "generation", "sealed")
    return StoredRead("credential", account_id, command)


def _sealed(kept: Sequence[Any] | None) -> tuple[int, str]:
    """A credential's generation and sealed text; 0 and "" if it is gone or cannot be read."""
    generation, sealed = kept or (None, None)
    return _generation(generation), text(sealed or "")


def _account(fields: Mapping[Any, Any] | None, account_id: str) -> Account | None:
    """An account from its hash; None if it is gone, or if this version cannot read it."""
    if not fields or "chatgpt_account_id" not in fields:
        return None
    values = {**fields, "terms": read_terms(fields.get("terms"))}
    account = read_fields(values, Account, kind="account", name=account_id)
    if account is not None and not is_known(account.kind):
        return msgspec.structs.replace(account, state=AccountState.UNKNOWN)
    return account


def _generation(value: object) -> int:
    """A credential's generation; 0 if there is none that can be read."""
    found = str(value or "0")
    return int(found) if found.isdecimal() else 0
