"""Admission control: the one snapshot that admits a request before anything is sent upstream.

Its script checks the versions that the request was made from, charges the key's limits, claims its
fair share and reads the pool's state, from which the first account is selected. An admitted request
stays admitted: later changes of its key do not concern it, except a revocation, which interrupts it
(`auth.revocation`).
"""

from typing import Final

import msgspec

from codex_proapi.gateway.auth.authenticator import Authenticated, Authenticator
from codex_proapi.gateway.errors import StoreUnreachable
from codex_proapi.gateway.limits.key_claims import Claims
from codex_proapi.gateway.pool.lease import LeaseRequest
from codex_proapi.gateway.pool.state.pool_reader import PoolReader, PoolState

MOST_READS: Final = 3
"""Most times the limits are charged anew because the keys, or the day (UTC), have changed."""
CHANGING: Final = "API keys are being changed just now. Please try again."


class AdmissionRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request before its admission, made from the key as authentication found it."""

    lease_request: LeaseRequest
    authenticated: Authenticated
    claims: Claims


class Admission(msgspec.Struct, frozen=True, kw_only=True):
    """An admitted request: what it requires of an account, and the state it was admitted with."""

    lease_request: LeaseRequest
    state: PoolState
    """For the selection of the first account; later ones read a state of their own."""


class KeyChanged(msgspec.Struct, frozen=True):
    """The key has other terms than the request was made from: it has to be made again."""

    authenticated: Authenticated
    """The authentication by the key as it is now."""


class AdmissionControl:
    """Admits requests.

    Args:
        authenticator: checks the key once more if the keys have another version.
        reader: reads the snapshot.
    """

    def __init__(self, authenticator: Authenticator, reader: PoolReader) -> None:
        self._authenticator = authenticator
        self._reader = reader

    def __repr__(self) -> str:
        return f"<AdmissionControl over {self._reader!r}>"

    async def admit(self, request: AdmissionRequest) -> Admission | KeyChanged:
        """Admit a request, in one round trip unless accounts, keys or the day have changed.

        Raises:
            BadKey: the key is no longer valid.
            LimitExceeded: a limit or the fair share of the key refuses the request.
            StoreUnavailable: no snapshot could be read.
            StoreUnreachable: the keys kept changing.
        """
        claims, authenticated = request.claims, request.authenticated
        for _ in range(MOST_READS):
            state = await self._reader.read(request.lease_request, claims=claims)
            version = state.snapshot.keys_version
            if authenticated.version != version:
                current = await self._authenticator.confirm(authenticated, version)
                if not current.is_same_as(authenticated):
                    return KeyChanged(current)
            if state.refusal is not None:
                raise state.refusal
            charge = claims.charge
            if charge is None or charge.drawn_at:
                return Admission(lease_request=request.lease_request, state=state)
            charge.version = version
        raise StoreUnreachable(CHANGING)
