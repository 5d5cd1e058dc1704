"""`codex-proapi doctor`: what is wrong with an installation, each with what to do."""

import asyncio
import pathlib
from collections.abc import AsyncIterator, Mapping

import msgspec
import rich_click as click

from codex_proapi.commons.native import NATIVE
from codex_proapi.commons.runtime.errors import (
    CommonsError,
    SettingsError,
    StoreRefused,
    StoreUnavailable,
)
from codex_proapi.console.cli.opened_store import names_redis, opened
from codex_proapi.console.cli.reports.bundle import Bundle, bundle_of
from codex_proapi.console.cli.reports.findings import (
    CORRECT,
    Finding,
    Verdict,
    each_once,
    failure,
    fine,
)
from codex_proapi.console.cli.reports.machine_checks import (
    machine_findings,
    native_finding,
    upstream_findings,
)
from codex_proapi.console.cli.reports.setting_checks import setting_findings
from codex_proapi.console.cli.reports.store_checks import store_findings
from codex_proapi.console.cli.reports.transports import compare_transports, show_comparison
from codex_proapi.console.cli.store_address import cure_of, fault_of
from codex_proapi.console.cli.terminal.json_output import json_option, print_json
from codex_proapi.console.cli.terminal.tables import plain
from codex_proapi.console.cli.terminal.whole_files import write_whole


@click.command("doctor")
@json_option
@click.option(
    "--bundle",
    type=click.Path(dir_okay=False, path_type=pathlib.Path),
    help="Write a report for others to this file: the findings, versions, settings and the shapes"
    " of the last failed requests, without secrets, names, prompts and answers.",
)
@click.option(
    "--transports",
    "account",
    metavar="ACCOUNT",
    help="Instead: ask this account by POST and over WebSocket in turn, and compare. It spends quota.",
)
@click.option(
    "--model", default="", help="With --transports: the model asked; else the account's first."
)
@click.option(
    "--turns", type=click.IntRange(1, 50), default=10, show_default=True, help="Turns each way."
)
@click.option("--yes", is_flag=True, help="Do not ask whether quota may be spent.")
@click.pass_obj
def doctor_command(
    environ: Mapping[str, str],
    *,
    as_json: bool,
    bundle: pathlib.Path | None,
    account: str | None,
    model: str,
    turns: int,
    yes: bool,
) -> int:
    """Look for what is wrong with an installation, and say what to do.

    Looks at settings, Redis, encryption keys, clock, accounts, gateways, disk, port, and the way to OpenAI.
    Changes nothing. Ends with 1 if something fails.
    """
    if account is not None:
        found = compare_transports(environ, account, model=model, turns=turns, agreed=yes)
        show_comparison(found, as_json=as_json)
        return int(not found.recommended)
    findings, told = asyncio.run(_examine(environ))
    if bundle is not None:
        _write(bundle, told)
    if as_json:
        print_json(findings)
    for finding in () if as_json else findings:
        print(plain(f"{finding.verdict:<4}  {finding.check}: {finding.found}"))
        if finding.cure:
            print(plain(f"      -> {finding.cure}"))
    return int(any(finding.verdict is Verdict.FAIL for finding in findings))


async def _examine(environ: Mapping[str, str]) -> tuple[list[Finding], Bundle]:
    told = bundle_of(environ)
    findings = setting_findings(environ)
    running = False
    async for finding, replicas in _store(environ, told):
        findings.append(finding)
        running = running or replicas
    findings += machine_findings(environ, embedded=not names_redis(environ), running=running)
    findings.append(native_finding(environ, NATIVE))
    findings += [finding async for finding in upstream_findings(environ)]
    findings = each_once(findings)
    told.findings += findings
    return findings, told


async def _store(environ: Mapping[str, str], told: Bundle) -> AsyncIterator[tuple[Finding, bool]]:
    """What is wrong with Redis and what is in it, and whether a process of ours serves."""
    try:
        async with opened(environ, any_keys=True) as store:
            for finding in await store_findings(store):
                yield finding, False
            await told.read(store)
            if told.replicas:
                yield fine("processes", f"{len(told.replicas)} of ours run"), True
    except StoreRefused as refused:
        yield failure("stored data", str(refused), "see docs/running.md, Upgrades"), False
    except SettingsError as error:
        for fault in error.faults:
            yield failure("settings", fault, CORRECT), False
    except StoreUnavailable as error:
        yield failure("redis", fault_of(error, environ), cure_of(error)), False
    except CommonsError as error:
        yield failure("store", str(error), "set DATA_DIR to a folder of yours, or REDIS_URL"), False


def _write(file: pathlib.Path, told: Bundle) -> None:
    write_whole(file, [msgspec.json.format(msgspec.json.encode(told)), b"\n"])
    click.echo(f"wrote {file}; read it before you give it away", err=True)
