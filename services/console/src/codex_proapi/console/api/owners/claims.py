"""What an owner's login of an account needs: a session of his, his consent, an account that may be his.

And what a change of its terms needs: keys that there are, and not too many changes.
"""

from collections.abc import Callable
from typing import Any

from litestar import Request

from codex_proapi.commons.accounts.model import Account
from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.commons.api_keys.store import KeyStore
from codex_proapi.commons.owner_terms.terms import Consent, OwnerTerms
from codex_proapi.console.api.owners.entry import owner_of_accounts
from codex_proapi.console.api.terms.bodies import check_keys
from codex_proapi.console.auth.attempts import Attempts
from codex_proapi.console.auth.identity import identity_of
from codex_proapi.console.errors import Code, Conflict, NotFound, Refused
from codex_proapi.console.owners.consent import Claim, consent_to
from codex_proapi.console.owners.owner_store import OwnerStore
from codex_proapi.console.server.middleware import origin_of

AnyRequest = Request[Any, Any, Any]


class OwnerClaims:
    """Lets owners begin logins of accounts, and change their terms."""

    def __init__(
        self,
        *,
        accounts: AccountStore,
        owners: OwnerStore,
        keys: KeyStore,
        attempts: Attempts,
        clock: Callable[[], float],
    ) -> None:
        self._accounts = accounts
        self._owners = owners
        self._keys = keys
        self._attempts = attempts
        self._clock = clock

    def __repr__(self) -> str:
        return "<OwnerClaims>"

    async def begin(self, request: AnyRequest, *, account: str, wording: str) -> Claim:
        """The claim of the owner who asks; Refused without his consent, TooMany of too many.

        Args:
            request: His request.
            account: The one of his that is signed in again; empty is any.
            wording: The version of the wording that he has just agreed to; empty is none.
        """
        owner = owner_of_accounts(identity_of(request.scope))
        own = await own_account(request, self._accounts, account) if account else None
        held = own.terms.consent if own else Consent()
        consent = consent_to(wording, held=held, now=self._clock())
        if consent is None:
            raise Refused(Code.CONSENT_NEEDED, param="consent")
        ip = origin_of(request.scope).client_ip
        await self._attempts.count("owner_login", ip=ip, browser=owner.id, guessable=False)
        return Claim(owner=owner.id, consent=consent)

    async def allow_change(self, account: Account, terms: OwnerTerms) -> None:
        """Count a change of an account's terms; BadRequest for an id of no key, TooMany of too many."""
        check_keys(terms.keys, known=await self._keys.names(), before=account.terms.keys)
        await self._attempts.count_change(account.owner)

    async def knows(self, claim: Claim, account_id: str) -> bool:
        """Whether an account is in the pool already; Conflict if it is another owner's."""
        known = await self._accounts.get(account_id)
        if known is None:
            return False
        if known.owner not in {"", claim.owner} and await self._owners.get(known.owner):
            raise Conflict(Code.OWNED_BY_OTHER)
        return True


async def own_account(request: AnyRequest, accounts: AccountStore, account_id: str) -> Account:
    """An account of the owner who asks; NotFound for any other, there or not."""
    owner = owner_of_accounts(identity_of(request.scope))
    account = await accounts.get(account_id)
    if account is None or account.owner != owner.id:
        raise NotFound(Code.UNKNOWN_ACCOUNT)
    return account
