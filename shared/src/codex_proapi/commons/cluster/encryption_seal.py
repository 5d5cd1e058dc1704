"""The seal: a text in Redis, encrypted, that only the right ENCRYPTION_KEYS open.

The first process writes it; each one opens it when it starts and every minute after. So a process
whose ENCRYPTION_KEYS are not those of the stored data does not serve, and writes nothing that the
others cannot open.

Where there is no seal (a release before it wrote the data), one stored credential that opens is
proof enough. Where the seal does not open, the keys may still be right: the one it was written
under was rotated out, and everything else was encrypted again since. Then every credential opens.
"""

from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis

from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import ask, text
from codex_proapi.commons.redis.stored_reads import StoredRead, read_each
from codex_proapi.commons.runtime.cipher import Cipher
from codex_proapi.commons.runtime.errors import StoreRefused

PLAIN = b"codex-proapi: these are the encryption keys of this Redis"
"""What the seal says."""
BATCH = 100
"""Credentials that are read at once."""


class WrongEncryptionKeys(StoreRefused):
    """The ENCRYPTION_KEYS of this process are not those of the stored data."""

    def __init__(self) -> None:
        sentence = (
            "ENCRYPTION_KEYS do not open what is stored in this Redis: give this process the keys"
            " that its gateways and consoles have (in the one-command start, the file"
            " encryption_keys in DATA_DIR). Where they are lost for good,"
            " `codex-proapi accounts reseal --force` begins with new ones: API keys, usage and"
            " settings stay, accounts have to sign in again."
        )
        super().__init__([sentence])


class EncryptionSeal:
    """Checks the encryption keys of this process against the stored data."""

    def __init__(self, redis: Redis, cipher: Cipher) -> None:
        self._redis = redis
        self._cipher = cipher

    def __repr__(self) -> str:
        return "<EncryptionSeal>"

    async def check(self) -> None:
        """Open the seal, or write it where there is none.

        Raises WrongEncryptionKeys, or StoreUnavailable while Redis is away.
        """
        sealed = await self._read()
        if sealed is None:
            opened, closed = await self._credentials()
            if closed and not opened:
                raise WrongEncryptionKeys
            await ask(lambda: self._redis.set(keyspace.seal(), self._sealed(), nx=True))
            sealed = await self._read()  # another process may have been first
        if sealed is None or self._opens(sealed):
            return
        opened, closed = await self._credentials()
        if closed or not opened:
            raise WrongEncryptionKeys
        await self.write()

    async def write(self) -> None:
        """Write the seal under the first key of this process, whatever it was under before."""
        await ask(lambda: self._redis.set(keyspace.seal(), self._sealed()))

    async def _read(self) -> str | None:
        found = await ask(lambda: self._redis.get(keyspace.seal()))
        return None if found is None else text(found)

    def _sealed(self) -> str:
        return self._cipher.seal_bytes(PLAIN).decode()

    def _opens(self, sealed: str) -> bool:
        return self._cipher.open_bytes(sealed.encode()) == PLAIN

    async def _credentials(self) -> tuple[int, int]:
        """How many stored credentials our keys open, and how many they do not."""
        ids = sorted(map(text, await ask(lambda: self._redis.smembers(keyspace.accounts()))))
        opened = closed = 0
        for begin in range(0, len(ids), BATCH):
            for sealed in await self._sealed_credentials(ids[begin : begin + BATCH]):
                if not sealed:
                    continue
                if self._cipher.open_bytes(text(sealed).encode()) is None:
                    closed += 1
                else:
                    opened += 1
        return opened, closed

    async def _sealed_credentials(self, ids: Sequence[str]) -> Sequence[Any]:
        names = ((account_id, keyspace.credential(account_id)) for account_id in ids)
        reads = [StoredRead("credential", id_, ("HGET", name, "sealed")) for id_, name in names]
        return await read_each(self._redis, reads)
