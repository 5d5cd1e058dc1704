"""Every command of the documents names what there is: services, volumes, objects, files, options."""

import functools
import pathlib
import re
import shlex
from typing import Any

import click
import pytest
from deploy.manifests import files_of, pod_makers, pod_template
from deploy.toolbox import DEPLOY, composed, of_kind, rendered, run
from support.tree import ROOT

from codex_proapi.console.cli.commands import root
from codex_proapi.console.cli.lazy_commands import LazyCommand

PAGES = sorted([*(ROOT / "docs").glob("*.md"), ROOT / "README.md"])
SECRETS = {"codex-proapi-keys", "codex-proapi-redis", "codex-proapi-tls"}
"""What docs/running.md tells to make."""
VALUED = {"--entrypoint", "--tail", "-v", "-c", "-n", "-f", "-l", "-p", "-o", "--type", "-k"}
"""Options whose value is a word of its own."""
VALUED_OF_KUBECTL = {"--image", "--cert", "--key", "--from-file", "--replicas", "--timeout"}
KINDS = {
    "deploy": "Deployment",
    "deployment": "Deployment",
    "statefulset": "StatefulSet",
    "cronjob": "CronJob",
    "horizontalpodautoscaler": "HorizontalPodAutoscaler",
    "service": "Service",
}

Words = list[str]


# --- reading the documents ---------------------------------------------------------------------


def commands_of(text: str) -> list[Words]:
    """The simple commands in the shell blocks of a page, without redirections."""
    found: list[Words] = []
    for block in re.findall(r"^ *```sh\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL):
        for line in joined(block):
            found += simple_commands(line)
    return found


def joined(block: str) -> list[str]:
    """Its lines, those that go on at the next one made one."""
    return re.sub(r"(\\|(?<=[|&]))\n\s*", " ", block).splitlines()


def simple_commands(line: str) -> list[Words]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.wordchars += "$:,%@+"
    found: list[Words] = [[]]
    words = iter(lexer)
    for word in words:
        if word in ("<", ">"):
            next(words, "")
        elif set(word) <= set("();|&"):
            found.append([])
        elif found[-1] or word not in ("do", "then"):
            found[-1].append(word)
    return [words for words in found if words]


# --- what there is -----------------------------------------------------------------------------


@functools.cache
def stack() -> dict[str, Any]:
    return composed("compose.yaml")


@functools.cache
def manifests() -> list[dict[str, Any]]:
    return [*rendered("overlays/example"), *rendered("overlays/ha")]


@functools.cache
def options_of(*command: str) -> frozenset[str]:
    """The options a tool has for a verb, as its own help says."""
    said = run(*command, "--help")
    more = run("kubectl", "options").stdout if command[0] == "kubectl" else ""
    return frozenset(re.findall(r"(?<![\w-])--?[A-Za-z][a-z-]*", said.stdout + said.stderr + more))


# --- what is wrong with a command --------------------------------------------------------------


def faults(words: Words, made: set[str]) -> list[str]:
    """What a command names that is not there; `made` are the Jobs that the page makes."""
    match words:
        case ["docker", "compose", verb, *rest]:
            return compose_faults(verb, rest)
        case ["docker", "volume", "rm", name]:
            names = {f"{stack()['name']}_{volume}" for volume in stack()["volumes"]}
            return [] if name in names else [f"no volume {name}"]
        case ["kubectl", *rest]:
            return kubectl_faults(rest, made)
        case [program, *rest] if pathlib.PurePath(program).name == "codex-proapi":
            return own_faults(rest)
        case _:
            return []


def split_options(words: Words, valued: set[str]) -> tuple[Words, Words]:
    """The options before a command of the container's, and all else."""
    options: Words = []
    others: Words = []
    remaining = iter(words)
    for word in remaining:
        if word == "--":
            return options, [*others, "--", *remaining]
        if not word.startswith("-") or word == "-":
            others.append(word)
            continue
        short = word[:2] != "--"  # `-it` are two
        options += [f"-{letter}" for letter in word[1:]] if short else [word.partition("=")[0]]
        if word in valued:
            next(remaining, "")
    return options, others


def compose_faults(verb: str, words: Words) -> list[str]:
    inside: Words = []
    if verb in ("exec", "run"):
        place = next(
            i for i, word in enumerate(words) if word in stack()["services"] or word == "-"
        )
        inside = words[place + 1 :]
        if "--entrypoint" in words[:place]:
            inside = [words[words.index("--entrypoint") + 1], *inside]
        words = words[: place + 1]
    options, services = split_options(words, VALUED)
    if verb == "cp":
        services = [word.partition(":")[0] for word in services if ":" in word]
    known = {*stack()["services"], "$each"}
    found = [f"no service {name}" for name in services if name not in known]
    found += [
        f"compose {verb} has no {o}" for o in options if o not in options_of("docker-compose", verb)
    ]
    return found + inside_faults(inside, secrets_of(services[0])) if inside else found


def secrets_of(service: str) -> set[str]:
    given = stack()["services"][service].get("secrets", ())
    return {each.get("target") or f"/run/secrets/{each['source']}" for each in given}


def inside_faults(words: Words, files: set[str]) -> list[str]:
    """Of a command inside a container: its own options, and files that are not there."""
    named = {each for word in words for each in re.findall(r"/run/secrets/[\w./-]+", word)}
    found = [f"no file {path}" for path in sorted(named - files)]
    return found + (own_faults(words[1:]) if words[0].endswith("codex-proapi") else [])


def kubectl_faults(words: Words, made: set[str]) -> list[str]:
    before, _, inside = " \0".join(words).partition(" \0-- \0")
    options, others = split_options(before.split(" \0"), VALUED | VALUED_OF_KUBECTL)
    verb, names = others[0], others[1:]
    depth = {"create": 2 if names[:1] == ["secret"] else 1, "rollout": 1}.get(verb, 0)
    known = options_of("kubectl", verb, *names[:depth])
    found = [f"kubectl {verb} has no {option}" for option in options if option not in known]
    if "-n" in words and (place := words[words.index("-n") + 1]) not in ("codex-proapi", "default"):
        found.append(f"no namespace {place}")
    found += [f"no {name}" for name in names if "/" in name and not is_there(name, made)]
    sources = re.findall(r"--from=(\S+)", " ".join(words))
    found += [f"no {source}" for source in sources if not is_there(source, made)]
    if names[:1] == ["secret"] and names[-1] not in SECRETS:
        found.append(f"no Secret {names[-1]}")
    if inside:
        found += inside_faults(inside.split(" \0"), files_in(names[0]))
    return found


def is_there(name: str, made: set[str]) -> bool:
    kind, _, own = name.partition("/")
    if kind == "job":
        return own in made
    if kind == "persistentvolumeclaim":
        return own in claims()
    return any(
        each["metadata"]["name"] == own for each in of_kind(manifests(), KINDS.get(kind, kind))
    )


def claims() -> set[str]:
    return {
        f"{claim['metadata']['name']}-{each['metadata']['name']}-{number}"
        for each in of_kind(manifests(), "StatefulSet")
        for claim in each["spec"].get("volumeClaimTemplates", ())
        for number in range(each["spec"]["replicas"])
    }


def files_in(name: str) -> set[str]:
    """Files that Secrets put into the pods of a workload."""
    makers = [m for m in pod_makers(manifests()) if m["metadata"]["name"] == name.partition("/")[2]]
    pods = [pod_template(each)["spec"] for each in makers]
    return {path for pod in pods for each in pod["containers"] for path in files_of(pod, each)}


def own_faults(words: Words) -> list[str]:
    """What our command line has against a command."""
    command: click.Command = root
    context = click.Context(command, info_name="codex-proapi")
    remaining = list(words)
    while isinstance(command, click.Group) and remaining:
        name = remaining.pop(0)
        if name.startswith("-"):
            return []
        found = command.get_command(context, name)
        if found is None:
            return [f"no command {name}"]
        command = found.load() if isinstance(found, LazyCommand) else found
        context = click.Context(command, parent=context, info_name=name)
    try:
        command.make_parser(context).parse_args(remaining)
    except click.UsageError as error:
        return [error.format_message()]
    return []


def jobs_made(commands: list[Words]) -> set[str]:
    return {
        w[w.index("job") + 1]
        for w in commands
        if w[:1] == ["kubectl"] and "create" in w and "job" in w
    }


# --- the checks --------------------------------------------------------------------------------


def page_faults(text: str) -> list[str]:
    commands = commands_of(text)
    made = jobs_made(commands)
    return [f"{' '.join(words)}: {fault}" for words in commands for fault in faults(words, made)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_a_page_names_what_there_is(page: pathlib.Path) -> None:
    assert page_faults(page.read_text()) == []


def test_each_place_has_its_commands_in_each_case_of_recovery() -> None:
    text = (ROOT / "docs" / "recovery.md").read_text()
    cases = re.split(r"^## ", text, flags=re.MULTILINE)[1:]

    assert len(cases) >= 7
    for case in cases:
        programs = {" ".join(words[:2]) for words in commands_of(f"## {case}")}
        assert "docker compose" in programs or "make compose-roll" in case, case
        assert "kubectl -n" in programs, case


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("exec -T console codex-proapi backup", "exec -T consol codex-proapi backup"),
        ("exec -T console codex-proapi backup -", "exec -T redis codex-proapi backup --all"),
        ("admin password --stdin", "admin pasword --stdin"),
        ("admin password --stdin", "admin password --standard"),
        ("codex-proapi_redis-data", "codex-proapi_redis"),
        ("/run/secrets/encryption_keys", "/run/secrets/encryption-keys"),
        ("/run/secrets/keys/encryption-keys", "/run/secrets/keys/encryption_keys"),
        ("--from=cronjob/reseal", "--from=cronjob/resealing"),
        ("job/reseal-force\nkubectl", "job/reseal-forced\nkubectl"),
        ("secret codex-proapi-keys", "secret codex-proapi-key"),
        ("deploy/console -- codex-proapi doctor", "deploy/consoles -- codex-proapi doctor"),
        ("persistentvolumeclaim/data-redis-0", "persistentvolumeclaim/redis-data-0"),
        ("horizontalpodautoscaler/gateway", "horizontalpodautoscaler/gateways"),
        ("stop gateway-a gateway-b", "stop gateway-a gateway-c"),
        ("--force-recreate", "--force-recreation"),
        ("--for=condition=complete", "--until=condition=complete"),
    ],
)
def test_a_command_that_names_something_else_is_found(right: str, wrong: str) -> None:
    text = (ROOT / "docs" / "recovery.md").read_text()
    assert right in text

    assert page_faults(text.replace(right, wrong))


def test_the_secrets_that_compose_is_told_of_are_files_of_its_folder() -> None:
    text = (ROOT / "docs" / "recovery.md").read_text()
    made = set(
        re.findall(r"^put (\w+) ", (DEPLOY / "compose" / "secrets.sh").read_text(), re.MULTILINE)
    )

    named = set(re.findall(r"\bsecrets/([a-z_]+)\b(?!\.)", text)) - {"redis", "keys"}
    assert named
    assert named <= made
