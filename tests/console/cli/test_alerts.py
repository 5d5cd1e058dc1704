"""Destinations of alerts from the command line."""

import asyncio

from click.testing import CliRunner, Result
from support.alert_receivers import WebhookReceiver, webhook_receiver

from codex_proapi.console.cli.alerts import alerts

SLACK = "https://hooks.slack.test/T0/topsecret\n"


def run(environ: dict[str, str], *arguments: str, entered: str = "") -> Result:
    return CliRunner().invoke(alerts, list(arguments), obj=environ, input=entered)


def test_a_destination_is_added_listed_and_removed(environ: dict[str, str]) -> None:
    added = run(environ, "add", "chat", "--shape", "slack", "--kind", "pool_dry", entered=SLACK)
    listed = run(environ, "list").stdout
    removed = run(environ, "remove", "chat")

    assert (added.exit_code, added.stdout) == (0, "")
    assert "\tchat\tslack\thooks.slack.test:443\tpool_dry\ton\tnone yet" in listed
    assert "topsecret" not in listed + added.output
    assert removed.stdout == "removed chat\n"
    assert run(environ, "list").stdout.startswith("no destinations yet")


def test_json_prints_the_secret_that_was_made(environ: dict[str, str]) -> None:
    added = run(environ, "add", "hook", "--shape", "json", entered="https://x.test/\n")

    assert added.stdout.startswith("whsec_")


def test_what_cannot_be_used_and_who_is_not_there_is_said(environ: dict[str, str]) -> None:
    wrong = run(environ, "add", "chat", "--shape", "slack", entered="nothing\n")
    unknown = run(environ, "test", "nobody")

    assert (wrong.exit_code, unknown.exit_code) == (1, 1)
    assert "address must begin with https:// or http://" in wrong.output
    assert "no destination is called nobody" in unknown.output


def test_a_test_says_why_it_is_not_delivered(environ: dict[str, str]) -> None:
    run(environ, "add", "hook", "--shape", "json", entered="https://127.0.0.1:9/\n")

    refused = run(environ, "test", "hook")
    allowed = run(environ | {"ALERT_NETWORKS": "127.0.0.0/8"}, "test", "hook")

    assert "not delivered: address_refused" in refused.output
    assert "not delivered: unreachable" in allowed.output


async def test_a_test_is_delivered(environ: dict[str, str]) -> None:
    async with webhook_receiver() as receiver:
        outcome = await asyncio.to_thread(_added_and_tried, environ, receiver)

    assert outcome.stdout == "delivered\n"
    assert receiver.bodies[0]["type"] == "alert.test"


def _added_and_tried(environ: dict[str, str], receiver: WebhookReceiver) -> Result:
    run(environ, "add", "hook", "--shape", "json", entered=f"{receiver.url}\n")
    return run(environ | {"ALERT_NETWORKS": "127.0.0.0/8"}, "test", "hook")
