"""One-time links that sign a browser in, printed by `codex-proapi admin link`.

Who can run a command with the store's settings is the administrator. So a link helps where no
login is asked but the browser is not this user's (see `loopback_peers`), and where the password's
attempts are used up.
"""

import hashlib
import secrets

from redis.asyncio import Redis

from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import mapped


class SignInLinks:
    """The links that were printed and not used yet."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def __repr__(self) -> str:
        return "<SignInLinks>"

    async def issue(self) -> str:
        """A token for one sign-in, within SIGN_IN_LINK_SECONDS."""
        token = secrets.token_urlsafe(32)
        with mapped():
            await self._redis.set(_name(token), "1", ex=keyspace.SIGN_IN_LINK_SECONDS)
        return token

    async def use(self, token: str) -> bool:
        """Whether the token is good; it is not any more afterwards."""
        with mapped():
            return bool(await self._redis.delete(_name(token)))


def _name(token: str) -> str:
    return keyspace.sign_in_link(hashlib.sha256(token.encode("utf-8", "replace")).hexdigest())
