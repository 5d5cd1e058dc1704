"""The authenticator: finds the API key of a request and checks that it is valid.

Keys are stored by `commons.api_keys.store` and cached here under the keys' version, which every
snapshot contains. Without Redis only cached keys are accepted: it fails closed.
"""

import hmac
import secrets
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from codex_proapi.commons.api_keys.store import ApiKey, KeyStore, KeyView
from codex_proapi.commons.cluster.live_settings import KeyPolicy
from codex_proapi.commons.redis.circuit_breaker import RedisCircuitBreaker
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.commons.runtime.tasks import SingleFlight
from codex_proapi.gateway.auth.caller import Caller
from codex_proapi.gateway.auth.origins import TrustedOrigins
from codex_proapi.gateway.auth.refused_keys import RefusedKeys
from codex_proapi.gateway.errors import BadKey, OriginRefused, StoreUnreachable, UnknownModel

MISS_SECONDS: Final = 5.0
"""Seconds a wrong key is refused from memory: some clients retry six times in a row."""
MOST_MISSES: Final = 10_000
"""Most wrong keys cached."""
MOST_SECRET: Final = 512
"""Most characters of a key; longer ones are refused without a lookup."""
MISSING: Final = (
    "You didn't provide an API key. Send it as 'Authorization: Bearer YOUR_KEY'; "
    "keys are made in the console."
)
ENDED: Final = "This API key has been revoked or has expired."
WRONG: Final = "Incorrect API key provided. Keys are made in the console."


class Authenticated(msgspec.Struct, frozen=True):
    """The result of authentication."""

    secret: str
    """The key as sent; empty for none. Not part of the repr."""
    key: ApiKey | None
    """The stored key; None in open mode."""
    version: int
    """Version of the keys at the time of the decision."""

    def __repr__(self) -> str:
        return f"<Authenticated {self.key.id if self.key else 'openly'}>"

    def is_same_as(self, other: "Authenticated") -> bool:
        """Whether both have the same key with the same terms; `last_used_at` is ignored."""
        return self.key is other.key or _terms(self.key) == _terms(other.key)


class Authenticator:
    """Authenticates requests.

    Args:
        store: the stored keys.
        policy: whether a key is required.
        clock: seconds since the epoch.
        redis_breaker: circuit breaker of Redis.
        origins: origins and host names served without a key.
        refused: takes note of keys that are refused.
    """

    def __init__(
        self,
        store: KeyStore,
        *,
        policy: KeyPolicy,
        clock: Callable[[], float],
        redis_breaker: RedisCircuitBreaker | None = None,
        origins: TrustedOrigins | None = None,
        refused: RefusedKeys | None = None,
    ) -> None:
        self._store = store
        self._view = KeyView(store)
        self._clock = clock
        self._redis_breaker = redis_breaker or RedisCircuitBreaker()
        self._origins = origins or TrustedOrigins(public_url="", allowed=())
        self._refused = refused
        self._misses: dict[bytes, float] = {}
        """Until when a wrong key is refused, by its digest: somebody's key may be among them."""
        self._digest_key = secrets.token_bytes(32)
        self._open_until = 0.0
        self._open_version = -2
        self._opening: SingleFlight[int, bool] = SingleFlight()
        self.policy = policy
        """Whether a key is required; may change while running."""

    def __repr__(self) -> str:
        return f"<Authenticator {self.policy.value}, {self._view!r}>"

    @property
    def version(self) -> int:
        """The version of the cached keys."""
        return self._view.version

    def see(self, version: int) -> None:
        """Drop cached keys and misses if the keys have another version."""
        if not self._view.confirm(version):
            self._misses.clear()
            self._open_until = 0.0

    def forget(self) -> None:
        """Drop everything cached."""
        self.see(-1)

    async def authenticate(self, caller: Caller) -> Authenticated:
        """Authenticate a request.

        Raises:
            BadKey: the key is missing, wrong, revoked or expired.
            OriginRefused: open mode does not serve this origin or host name.
            StoreUnreachable: Redis is away and the key is not cached.
        """
        return self.known(caller) or await self._looked_up(caller)

    def known(self, caller: Caller) -> Authenticated | None:
        """Authenticate a request by what is cached; None if Redis has to be asked.

        Raises:
            OriginRefused: open mode does not serve this origin or host name.
        """
        secret, version = caller.secret, self._view.version
        # Open mode was found in force less than MISS_SECONDS ago: no key was ever made then.
        if (
            self.policy is KeyPolicy.OPEN
            and version == self._open_version
            and self._clock() < self._open_until
        ):
            self._origins.check(caller)
            return Authenticated(secret, None, version)
        key = self._view.cached(secret) if secret else None
        if key is None or ((key.revoked or key.expires_at) and self._is_over(key)):
            return None
        return Authenticated(secret, key, version)

    async def _looked_up(self, caller: Caller) -> Authenticated:
        secret, began = caller.secret, self._redis_breaker.now()
        try:
            key = await self._find(secret)
            if key is not None and self._is_over(key):
                # Its expiry may have been extended: a cached key alone must not refuse for ever.
                await self._read_version()
                key = await self._find(secret)
            if key is None:
                self._remember_miss(secret)
                if await self._is_open():
                    self._origins.check(caller)
                    return Authenticated(secret, None, self._view.version)
                raise self._refusal(WRONG if secret else MISSING, secret)
        except StoreUnavailable as error:
            self._redis_breaker.fail(error, since=began)
            if self._was_open():
                self._origins.check(caller)
                return Authenticated(secret, None, self._view.version)
            raise StoreUnreachable("The key store does not answer. Please try again.") from None
        if self._is_over(key):
            raise self._refusal(ENDED, secret, key.id)
        return Authenticated(secret, key, self._view.version)

    def _refusal(self, message: str, secret: str, key_id: str = "") -> BadKey:
        error = BadKey(message)
        if self._refused is not None:
            self._refused.note(error, secret=secret, key_id=key_id)
        return error

    async def check_page(self, headers: Mapping[bytes, bytes]) -> None:
        """Check the origin of a request that carries no key, such as a CORS preflight.

        Raises:
            OriginRefused: open mode is in force, or may be while Redis is away, and the origin is
                not trusted.
        """
        if self.policy is not KeyPolicy.OPEN:
            return
        try:
            self._origins.check(Caller.of(headers))
        except OriginRefused:
            try:
                if await self._is_open():
                    raise
            except StoreUnavailable:
                pass
            else:
                return
            raise

    async def again(self, authenticated: Authenticated) -> Authenticated:
        """Authenticate again by the current keys, before a request is refused from cached ones.

        During the grace period the cached keys stand. Raises StoreUnavailable.
        """
        if self._redis_breaker.in_grace():
            return authenticated
        return await self.confirm(authenticated, await self._read_version())

    async def confirm(self, authenticated: Authenticated, version: int) -> Authenticated:
        """Authenticate again if the keys have another version. Raises what `authenticate` raises."""
        if version != self._view.version:
            self.see(version)
        if authenticated.version == version:
            return authenticated
        return await self.authenticate(Caller(authenticated.secret))

    async def _read_version(self) -> int:
        """Read the current version of the keys."""
        version = await self._store.version()
        self.see(version)
        return version

    def _is_over(self, key: ApiKey) -> bool:
        return key.revoked or (key.expires_at > 0 and key.expired(self._clock()))

    async def _find(self, secret: str) -> ApiKey | None:
        if not secret or len(secret) > MOST_SECRET:
            return None
        if self._misses:
            digest = self._digest(secret)
            missed_until = self._misses.get(digest)
            if missed_until is not None:
                if missed_until > self._clock():
                    return None
                del self._misses[digest]
        return await self._view.find(secret)

    async def _is_open(self) -> bool:
        """Whether open mode is in force: the policy is open and no key was ever made."""
        if self.policy is not KeyPolicy.OPEN:
            return False
        while True:
            now, version = self._clock(), self._view.version
            if now < self._open_until and version == self._open_version:
                return True
            if await self._opening.join(version, self._store.any):
                return False
            self._open_until, self._open_version = now + MISS_SECONDS, version
            if version == self._view.version:  # else a key may have been made meanwhile: repeat
                return True

    def _was_open(self) -> bool:
        """Whether open mode was in force when the keys were last read."""
        return self.policy is KeyPolicy.OPEN and self._open_version == self._view.version

    def _remember_miss(self, secret: str) -> None:
        if not secret or len(secret) > MOST_SECRET:
            return
        digest = self._digest(secret)
        if digest not in self._misses:
            if len(self._misses) >= MOST_MISSES:
                self._misses.clear()
            self._misses[digest] = self._clock() + MISS_SECONDS

    def _digest(self, secret: str) -> bytes:
        """An HMAC-SHA256 of a key, under a key of this process."""
        return hmac.digest(self._digest_key, secret.encode("utf-8", "replace"), "sha256")


def check_model(key: ApiKey | None, model: str) -> None:
    """Raise UnknownModel if a key may not use a model (a name in the catalogue)."""
    allowed = key.allowed_models if key is not None else ()
    if allowed and model.lower() not in map(str.lower, allowed):
        raise UnknownModel(f"This API key may not use '{model}'. It may use: {', '.join(allowed)}.")


def _terms(key: ApiKey | None) -> ApiKey | None:
    return key and msgspec.structs.replace(key, last_used_at=0)
