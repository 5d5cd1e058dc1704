"""Finds the API key that a request shows; raises BadKey (401) where it shows none that is good.

Keys are kept by `codex_proapi.commons.api_keys.store`; this process remembers those it has seen under the keys' version,
which every snapshot brings. Without Redis nobody new is admitted: it fails closed. Whether
requests admitted before may go on, the snapshot decides.
"""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from codex_proapi.commons.api_keys.store import ApiKey, KeyStore, KeyView
from codex_proapi.commons.cluster.live_settings import KeyPolicy
from codex_proapi.commons.redis.circuit_breaker import RedisCircuitBreaker
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.commons.runtime.single_flight import SingleFlight
from codex_proapi.gateway.auth.origins import TrustedOrigins
from codex_proapi.gateway.errors import BadKey, OriginRefused, StoreUnreachable, UnknownModel

MISS_SECONDS: Final = 5.0
"""How long a wrong key is refused without another look: some clients try six times in a row."""
MOST_MISSES: Final = 10_000
MOST_SECRET: Final = 512
"""Length beyond which nothing is a key."""
MISSING: Final = (
    "You didn't provide an API key. Send it as 'Authorization: Bearer YOUR_KEY'; "
    "keys are made in the console."
)
WRONG: Final = "Incorrect API key provided. Keys are made in the console."


class Authenticated(msgspec.Struct, frozen=True):
    """A request that may be served, and the key it is served for."""

    secret: str
    """The key it showed; empty for none. Never printed."""
    key: ApiKey | None
    """Its key; None where none is needed."""
    version: int
    """The version of the keys this was decided by."""

    def __repr__(self) -> str:
        return f"<Authenticated {self.key.id if self.key else 'openly'}>"

    def is_same_as(self, other: "Authenticated") -> bool:
        """Whether the key still says the same; that it was used meanwhile is no change."""
        return _terms(self.key) == _terms(other.key)


class KeyChanged(Exception):
    """The key was changed after it was looked at, before any account was asked."""

    def __init__(self, admitted: Authenticated) -> None:
        super().__init__(repr(admitted))
        self.admitted = admitted


class Authenticator:
    """Finds the key of a request."""

    def __init__(
        self,
        store: KeyStore,
        *,
        policy: KeyPolicy,
        clock: Callable[[], float],
        gate: RedisCircuitBreaker | None = None,
        origins: TrustedOrigins | None = None,
    ) -> None:
        self._store = store
        self._view = KeyView(store)
        self._clock = clock
        self._gate = gate or RedisCircuitBreaker()
        self._origins = origins or TrustedOrigins(public_url="", allowed=())
        self._misses: dict[str, float] = {}
        self._open_until = 0.0
        self._open_version = -2
        self._opening: SingleFlight[int, bool] = SingleFlight()
        self.policy = policy
        """Whether a key is needed; may change while running."""

    def __repr__(self) -> str:
        return f"<Authenticator {self.policy.value}, {self._view!r}>"

    @property
    def version(self) -> int:
        """The version of the keys that are remembered."""
        return self._view.version

    def see(self, version: int) -> None:
        """Forget what is known of keys if they have changed."""
        if not self._view.confirm(version):
            self._misses.clear()
            self._open_until = 0.0

    def forget(self) -> None:
        """Look at every key anew."""
        self.see(-1)

    async def admit(self, headers: Mapping[bytes, bytes]) -> Authenticated:
        """Admit a request. Raises BadKey, OriginRefused, or StoreUnreachable where Redis cannot tell."""
        secret = secret_of(headers)
        began = self._gate.now()
        try:
            key = await self._find(secret)
            if key is not None and self._is_over(key):
                # It may have been given more time: a no from memory alone would last for ever.
                await self._read_version()
                key = await self._find(secret)
            if key is None:
                self._remember_miss(secret)
                if await self._is_open():
                    self._origins.check(headers)
                    return Authenticated(secret, None, self._view.version)
                raise BadKey(WRONG if secret else MISSING)
        except StoreUnavailable as error:
            self._gate.fail(error, since=began)
            if self._was_open():
                self._origins.check(headers)
                return Authenticated(secret, None, self._view.version)
            raise StoreUnreachable("The key store does not answer. Please try again.") from None
        if self._is_over(key):
            raise BadKey("This API key has been revoked or has expired.")
        return Authenticated(secret, key, self._view.version)

    async def check_page(self, headers: Mapping[bytes, bytes]) -> None:
        """Raise OriginRefused for a page that is not served as things are, where no key is shown.

        Where Redis cannot tell, it is what the policy says.
        """
        if self.policy is not KeyPolicy.OPEN:
            return
        try:
            self._origins.check(headers)
        except OriginRefused:
            try:
                if await self._is_open():
                    raise
            except StoreUnavailable:
                pass
            else:
                return
            raise

    async def again(self, admitted: Authenticated) -> Authenticated:
        """The same admission by the keys as they are now: before a no that memory alone says.

        In grace they are as they were. Raises StoreUnavailable.
        """
        if self._gate.in_grace():
            return admitted
        return await self.confirm(admitted, await self._read_version())

    async def confirm(self, admitted: Authenticated, version: int) -> Authenticated:
        """The same admission, looked at again if keys have changed. Raises what `admit` raises."""
        self.see(version)
        if admitted.version == version:
            return admitted
        return await self.admit({b"x-api-key": admitted.secret.encode("latin-1")})

    async def _read_version(self) -> int:
        """The keys' version now."""
        version = await self._store.version()
        self.see(version)
        return version

    def _is_over(self, key: ApiKey) -> bool:
        return key.revoked or key.expired(self._clock())

    async def _find(self, secret: str) -> ApiKey | None:
        if not secret or len(secret) > MOST_SECRET:
            return None
        missed_until = self._misses.get(secret)
        if missed_until is not None:
            if missed_until > self._clock():
                return None
            del self._misses[secret]
        return await self._view.find(secret)

    async def _is_open(self) -> bool:
        """Whether no key is needed: the policy is open and no key was ever made."""
        if self.policy is not KeyPolicy.OPEN:
            return False
        while True:
            now, version = self._clock(), self._view.version
            if now < self._open_until and version == self._open_version:
                return True
            if await self._opening.join(version, self._store.any):
                return False
            self._open_until, self._open_version = now + MISS_SECONDS, version
            if version == self._view.version:  # else a key may have been made meanwhile: look again
                return True

    def _was_open(self) -> bool:
        """Whether no key was needed by the keys as they were last read."""
        return self.policy is KeyPolicy.OPEN and self._open_version == self._view.version

    def _remember_miss(self, secret: str) -> None:
        if secret and len(secret) <= MOST_SECRET and secret not in self._misses:
            if len(self._misses) >= MOST_MISSES:
                self._misses.clear()
            self._misses[secret] = self._clock() + MISS_SECONDS


def check_model(key: ApiKey | None, model: str) -> None:
    """Raise UnknownModel if this key may not use this model (of the catalogue)."""
    allowed = key.allowed_models if key is not None else ()
    if allowed and model.lower() not in map(str.lower, allowed):
        raise UnknownModel(f"This API key may not use '{model}'. It may use: {', '.join(allowed)}.")


def _terms(key: ApiKey | None) -> ApiKey | None:
    return key and msgspec.structs.replace(key, last_used_at=0)


def secret_of(headers: Mapping[bytes, bytes]) -> str:
    """The key in a request's headers, in any spelling clients were seen to use; empty for none."""
    provided = headers.get(b"authorization")
    if provided is not None:
        scheme, _, rest = provided.strip().partition(b" ")
        secret = rest.strip() if scheme.lower() == b"bearer" else provided.strip()
        if secret and secret.lower() != b"bearer":
            return secret.decode("latin-1")
    for name in (b"x-api-key", b"api-key"):
        if secret := headers.get(name, b"").strip():
            return secret.decode("latin-1")
    return ""
