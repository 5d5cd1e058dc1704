"""The Job that seals credentials under a new key: what it says, and what its pod does to a real Redis."""

import asyncio
import json
import pathlib
import re
import subprocess
import sys
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from bench.seed import seed
from cryptography.fernet import Fernet
from deploy.manifests import named, planted, pod_template, workload
from deploy.toolbox import Manifest, of_kind, output
from support.redis_server import RedisServer
from support.tree import ROOT

from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.commons.redis.clients import connect

JOB = ("CronJob", "reseal")
POD = ("spec", "jobTemplate", "spec", "template", "spec")
REFUSED = 2
"""The command line's status where nothing was begun."""


def job_faults(manifests: list[Manifest]) -> list[str]:
    """Why the Job would run unasked, not end, or be another version's."""
    cron = named(manifests, *JOB)
    job, pod = cron["spec"]["jobTemplate"]["spec"], pod_template(cron)["spec"]
    console = pod_template(workload(manifests, "console"))["spec"]
    found = []
    if cron["spec"].get("suspend") is not True:
        found.append("it runs by itself")
    if pod["restartPolicy"] != "Never":
        found.append("a failure's log is not kept")
    (rule,) = job["podFailurePolicy"]["rules"]
    if rule["action"] != "FailJob" or rule["onExitCodes"]["values"] != [REFUSED]:
        found.append("what is refused is tried again")
    if not 300 <= job["activeDeadlineSeconds"] <= 3600 or not job.get("ttlSecondsAfterFinished"):
        found.append("it goes on, or stays, for ever")
    ours, theirs = pod["containers"][0], console["containers"][0]
    for key in ("image", "envFrom"):
        if ours[key] != theirs[key]:
            found.append(f"its {key} is not the console's")
    return found


def test_the_job_runs_when_it_is_asked_and_ends(manifests: list[Manifest]) -> None:
    assert job_faults(manifests) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("spec", "suspend"), False),
        ((*POD, "restartPolicy"), "OnFailure"),
        ((*POD[:3], "podFailurePolicy", "rules", 0, "onExitCodes", "values"), [1]),
        ((*POD[:3], "activeDeadlineSeconds"), 0),
        ((*POD[:3], "activeDeadlineSeconds"), 5),
        ((*POD, "containers", 0, "image"), "codex-proapi/gateway:0.1.0"),
    ],
)
def test_a_job_that_does_something_else_is_found(
    example: list[Manifest], path: tuple[Any, ...], value: Any
) -> None:
    assert job_faults(planted(example, *JOB, *path, value=value))


# --- what it does ------------------------------------------------------------------------------


class Cluster:
    """The Secrets of a namespace as files, a Redis, and pods run as processes of this machine."""

    def __init__(self, manifests: list[Manifest], folder: pathlib.Path, url: str) -> None:
        self.manifests, self.folder = manifests, folder
        self.put("redis/url", url)

    def put(self, name: str, content: str) -> None:
        """Change a key of a Secret."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)

    def run(self, job: dict[str, Any]) -> subprocess.CompletedProcess[str]:
        """The one container of a Job, to its end."""
        container = job["spec"]["template"]["spec"]["containers"][0]
        (settings,) = [
            m["data"]
            for m in of_kind(self.manifests, "ConfigMap")
            if m["metadata"]["name"] == container["envFrom"][0]["configMapRef"]["name"]
        ]
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(self.folder), **settings}
        for each in container["env"]:
            environment[each["name"]] = each["value"].replace("/run/secrets", str(self.folder))
        program, *arguments = container["command"]
        ours = pathlib.Path(sys.executable).parent / pathlib.PurePath(program).name
        return subprocess.run(
            [str(ours), *arguments], env=environment, capture_output=True, text=True, check=False
        )


def a_job(manifests: list[Manifest]) -> dict[str, Any]:
    """What `kubectl create job --from=cronjob/reseal` makes."""
    spec = named(manifests, *JOB)["spec"]["jobTemplate"]["spec"]
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "reseal"}, "spec": spec}


def forced(job: dict[str, Any]) -> dict[str, Any]:
    """The same, changed by the command of docs/recovery.md."""
    page = (ROOT / "docs" / "recovery.md").read_text()
    (told,) = re.findall(r"kubectl patch --local [^|]*?-p '([^']+)'", page, re.DOTALL)
    made: dict[str, Any] = json.loads(
        output(
            *("kubectl", "patch", "--local", "-f", "-", "--type=json", "-o", "json", "-p", told),
            input=yaml.safe_dump(job),
        )
    )
    return made


async def opened(url: str, key: str) -> int:
    """How many credentials a key opens."""
    redis = connect(url)
    try:
        store = AccountStore(redis, CredentialCipher([key]))
        return await store.reseal()
    finally:
        await redis.aclose()


def test_a_rotation_seals_everything_under_the_new_key(
    example: list[Manifest], tmp_path: pathlib.Path
) -> None:
    new = Fernet.generate_key().decode()
    with RedisServer() as server:
        old = seed(server.url)
        cluster = Cluster(example, tmp_path, server.url)
        cluster.put("keys/encryption-keys", f"{new},{old}")

        done = cluster.run(a_job(example))

        assert done.returncode == 0, done.stderr
        assert done.stdout == "sealed 1 of 1 credentials under the first encryption key\n"
        assert asyncio.run(opened(server.url, new)) == 1
        assert asyncio.run(opened(server.url, old)) == 0


def test_after_a_lost_key_only_the_forced_one_begins_anew(
    example: list[Manifest], tmp_path: pathlib.Path
) -> None:
    with RedisServer() as server:
        seed(server.url)
        cluster = Cluster(example, tmp_path, server.url)
        cluster.put("keys/encryption-keys", Fernet.generate_key().decode())

        refused = cluster.run(a_job(example))
        begun_anew = cluster.run(forced(a_job(example)))
        again = cluster.run(a_job(example))

    assert refused.returncode == REFUSED
    assert "ENCRYPTION_KEYS do not open" in refused.stderr
    assert begun_anew.returncode == 0, begun_anew.stderr
    assert begun_anew.stdout.startswith("sealed 0 of 1 credentials")
    # The login that none of the keys opens is told until it is signed in again.
    assert again.returncode == 1
