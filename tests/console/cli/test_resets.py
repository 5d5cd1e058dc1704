"""`accounts resets` and `accounts redeem-reset`."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator

import pytest
from click.testing import CliRunner, Result

from codex_proapi.console.cli.accounts import accounts
from codex_proapi.simulator import Simulator
from codex_proapi.simulator.state.accounts import SavedReset


@pytest.fixture
def sim() -> Iterator[Simulator]:
    """A backend in a thread of its own: a command has its own event loop."""
    loop, sim = asyncio.new_event_loop(), Simulator()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(sim.start(), loop).result()
    sim.account("ada").saved_resets = [SavedReset(id="c1", expires_at=time.time() + 86_400)]
    yield sim
    asyncio.run_coroutine_threadsafe(sim.close(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture
def there(environ: dict[str, str], sim: Simulator) -> dict[str, str]:
    made = {**environ, **sim.environ}
    token = sim.account("ada").access_key
    assert not run(made, "add-token", "--access-token-stdin", provided=f"{token}\n").exit_code
    return made


def run(environ: dict[str, str], *arguments: str, provided: str = "") -> Result:
    return CliRunner().invoke(accounts, arguments, obj=environ, input=provided)


def test_resets_are_listed_and_one_is_redeemed_once(there: dict[str, str], sim: Simulator) -> None:
    before = run(there, "resets", "ada@example.com").output
    first = run(there, "redeem-reset", "ada@example.com", "c1", "--yes").output
    again = run(there, "redeem-reset", "ada@example.com", "c1", "--yes").output
    after = json.loads(run(there, "resets", "ada@example.com", "--json").output)

    assert "c1\tavailable" in before
    assert first.startswith("redeemed: the windows")
    assert again.startswith("redeemed before")
    assert (after["available"], after["resets"][0]["redeemed_by"]) == (0, "cli")
    assert sim.account("ada").resets_redeemed == 1


def test_it_asks_first_and_explains_what_is_wrong(there: dict[str, str], sim: Simulator) -> None:
    declined = run(there, "redeem-reset", "ada@example.com", "c1", provided="n\n")
    unknown = run(there, "redeem-reset", "ada@example.com", "c9", "--yes")
    nobody = run(there, "resets", "nobody")

    assert "nothing was changed" in declined.output
    assert "no such saved reset" in unknown.output
    assert "no account is called nobody" in nobody.output
    assert sim.account("ada").resets_redeemed == 0


def test_a_backend_that_does_not_answer_is_named(there: dict[str, str]) -> None:
    away = {**there, "CODEX_BASE_URL": "http://127.0.0.1:9/backend-api/codex"}

    result = run(away, "resets", "ada@example.com")

    assert result.exit_code == 1
    assert "could not be reached" in result.output
