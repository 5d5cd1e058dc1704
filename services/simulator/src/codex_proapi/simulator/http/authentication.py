"""The account behind a bearer token, and the JSON of a request body out of its content coding."""

import gzip
import zlib
from collections.abc import Mapping
from typing import Any

import msgspec
import zstandard

from codex_proapi.simulator.state.accounts import AUTH_CLAIM, SimulatedAccount, read_token
from codex_proapi.simulator.state.refusals import Circumstance, Refusal, detail, refuse
from codex_proapi.simulator.state.world import World

_UNPACKED_LIMIT = 256 * 1024 * 1024


def authenticate(headers: Mapping[str, str], world: World) -> SimulatedAccount | Refusal:
    """The account a call is made with, or the refusal."""
    at = Circumstance(now=world.clock())
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        return refuse("unauthorized", at)
    account = _account_of_token(token, world, at)
    if isinstance(account, Refusal):
        return account
    if account.deactivated:
        return refuse("account_deactivated", at)
    named = headers.get("chatgpt-account-id")
    if named != account.workspace:
        return refuse("account_mismatch", at)
    if account.fedramp and headers.get("x-openai-fedramp") != "true":
        return refuse("account_mismatch", at)
    return account


def account_of_personal_token(
    headers: Mapping[str, str], world: World
) -> SimulatedAccount | Refusal:
    """The account of a personal access token, whatever workspace the call names."""
    at = Circumstance(now=world.clock())
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.startswith("at-"):
        return refuse("unauthorized", at)
    account = _account_of_token(token, world, at)
    if isinstance(account, SimulatedAccount) and account.deactivated:
        return refuse("account_deactivated", at)
    return account


def _account_of_token(token: str, world: World, at: Circumstance) -> SimulatedAccount | Refusal:
    if token.startswith("at-"):
        return world.account_by_key(token) or refuse("token_unreadable", at)
    claims = read_token(token)
    if claims is None or "scp" not in claims:
        return refuse("token_unreadable", at)
    account = world.account_of(claims.get(AUTH_CLAIM, {}))
    if account is None:
        return refuse("token_unreadable", at)
    if claims["exp"] <= at.now:
        return refuse("token_expired", at)
    if int(claims["jti"].partition("-")[0]) < account.first_valid_token:
        return refuse("token_invalidated", at)
    return account


def unpack_body(raw: bytes, headers: Mapping[str, str]) -> Any | Refusal:
    """The JSON of a request body, out of its content coding."""
    if not headers.get("content-type", "").startswith("application/json"):
        return detail("Unsupported content type", status=415)
    try:
        plain = _decompress(raw, headers.get("content-encoding", "identity").lower())
        return msgspec.json.decode(plain)
    except (zlib.error, OSError, EOFError, zstandard.ZstdError):
        return detail("Could not decompress the request body")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return detail("Could not parse the request body as JSON")
    except LookupError:
        return detail("Unsupported content encoding", status=415)


def _decompress(raw: bytes, coding: str) -> bytes:
    match coding:
        case "identity" | "":
            return raw
        case "gzip":
            return gzip.decompress(raw)
        case "deflate":
            return zlib.decompress(raw)
        case "zstd":
            with zstandard.ZstdDecompressor().stream_reader(raw) as reader:
                return reader.read(_UNPACKED_LIMIT)
        case _:
            raise LookupError(coding)
