"""What rendered manifests mean: who reaches whom, which path leads where, what a probe asks."""

import copy
import ipaddress
import posixpath
from collections.abc import Iterator
from typing import Any

from deploy.toolbox import Manifest, of_kind

NAMESPACE_LABEL = "kubernetes.io/metadata.name"


def named(manifests: list[Manifest], kind: str, name: str) -> Manifest:
    """The one manifest of a kind and name."""
    return next(m for m in of_kind(manifests, kind) if m["metadata"]["name"] == name)


def workloads(manifests: list[Manifest]) -> list[Manifest]:
    """Everything whose pods go on running."""
    return of_kind(manifests, "Deployment", "StatefulSet")


def pod_makers(manifests: list[Manifest]) -> list[Manifest]:
    """Everything that makes pods, those that end by themselves too."""
    return [*workloads(manifests), *of_kind(manifests, "CronJob")]


def pod_template(maker: Manifest) -> dict[str, Any]:
    """What the pods of a manifest are made from."""
    spec = maker["spec"]
    made: dict[str, Any] = spec.get("jobTemplate", {"spec": spec})["spec"]["template"]
    return made


def workload(manifests: list[Manifest], name: str) -> Manifest:
    """The Deployment or StatefulSet of a name."""
    return next(w for w in workloads(manifests) if w["metadata"]["name"] == name)


def pod_labels(manifests: list[Manifest], name: str) -> dict[str, str]:
    """The labels of the pods of what has this name."""
    maker = next(each for each in pod_makers(manifests) if each["metadata"]["name"] == name)
    labels: dict[str, str] = pod_template(maker)["metadata"]["labels"]
    return labels


def container_ports(manifests: list[Manifest], name: str) -> dict[str, int]:
    """The named ports of a workload's pods."""
    pod = workload(manifests, name)["spec"]["template"]["spec"]
    return {
        port["name"]: port["containerPort"]
        for container in pod["containers"]
        for port in container.get("ports", ())
    }


def selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    """Whether a label selector matches; an empty one matches everything."""
    if not selector.get("matchLabels", {}).items() <= labels.items():
        return False
    for rule in selector.get("matchExpressions", ()):
        value, among = labels.get(rule["key"]), rule.get("values", ())
        match rule["operator"]:
            case "In" if value not in among:
                return False
            case "NotIn" if value in among:
                return False
            case "Exists" if value is None:
                return False
            case "DoesNotExist" if value is not None:
                return False
            case _:
                pass
    return True


def files_of(pod: dict[str, Any], container: dict[str, Any]) -> set[str]:
    """Paths that Secrets put into a container."""
    volumes = {volume["name"]: volume for volume in pod.get("volumes", ())}
    return {
        posixpath.join(mount["mountPath"], item["path"])
        for mount in container.get("volumeMounts", ())
        for item in volumes.get(mount["name"], {}).get("secret", {}).get("items", ())
    }


# --- network policies --------------------------------------------------------------------------


class Peer:
    """One end of a connection: a pod of ours, a pod of another namespace, or an address.

    `labels` are those of a pod of our namespace that no manifest of ours makes.
    """

    def __init__(
        self,
        *,
        pod: str = "",
        namespace: str = "",
        address: str = "",
        labels: dict[str, str] | None = None,
    ) -> None:
        self.pod, self.namespace, self.address = pod, namespace, address
        self.labels = labels

    def __repr__(self) -> str:
        return f"<Peer {self.pod or self.namespace or self.address}>"


def may_connect(
    manifests: list[Manifest], source: Peer, target: Peer, port: int, protocol: str = "TCP"
) -> bool:
    """Whether the policies let a connection through, on both ends that are ours."""
    theirs = not source.pod or source.labels is not None  # let out by policies of their own
    out = theirs or _allowed(manifests, "Egress", source, target, port, protocol)
    return out and (
        not target.pod or _allowed(manifests, "Ingress", target, source, port, protocol)
    )


def _allowed(
    manifests: list[Manifest], direction: str, ours: Peer, other: Peer, port: int, protocol: str
) -> bool:
    labels = _labels_of(manifests, ours)
    policies = [
        policy["spec"]
        for policy in of_kind(manifests, "NetworkPolicy")
        if direction in policy["spec"]["policyTypes"]
        and selects(policy["spec"]["podSelector"], labels)
    ]
    if not policies:
        return True
    # A named port is one of the pod that is connected to.
    receiver = ours if direction == "Ingress" else other
    known = receiver.pod and receiver.labels is None
    names = container_ports(manifests, receiver.pod) if known else {}
    side, ends = ("ingress", "from") if direction == "Ingress" else ("egress", "to")
    return any(
        _is_among(manifests, rule.get(ends), other)
        and _has_port(rule.get("ports"), names, port, protocol)
        for policy in policies
        for rule in policy.get(side, ())
    )


def _is_among(manifests: list[Manifest], ends: list[Any] | None, other: Peer) -> bool:
    if not ends:
        return True
    return any(_is_end(manifests, end, other) for end in ends)


def _is_end(manifests: list[Manifest], end: dict[str, Any], other: Peer) -> bool:
    if "ipBlock" in end:
        if not other.address:
            return False
        address, block = ipaddress.ip_address(other.address), end["ipBlock"]
        inside = [ipaddress.ip_network(block["cidr"])]
        outside = [ipaddress.ip_network(cidr) for cidr in block.get("except", ())]
        return address in inside[0] and not any(address in network for network in outside)
    if other.address:
        return False
    if "namespaceSelector" in end:
        return bool(other.namespace) and selects(
            end["namespaceSelector"], {NAMESPACE_LABEL: other.namespace}
        )
    return bool(other.pod) and selects(end["podSelector"], _labels_of(manifests, other))


def _labels_of(manifests: list[Manifest], peer: Peer) -> dict[str, str]:
    return pod_labels(manifests, peer.pod) if peer.labels is None else peer.labels


def _has_port(
    ports: list[dict[str, Any]] | None, names: dict[str, int], port: int, protocol: str
) -> bool:
    if not ports:
        return True
    return any(
        names.get(each["port"], each["port"]) == port and each.get("protocol", "TCP") == protocol
        for each in ports
    )


# --- paths -------------------------------------------------------------------------------------


def services_of_paths(manifests: list[Manifest]) -> list[tuple[str, bool, str]]:
    """(path, whether below it too, service or "") of the Ingress or the HTTPRoute."""
    found = []
    for ingress in of_kind(manifests, "Ingress"):
        for path in ingress["spec"]["rules"][0]["http"]["paths"]:
            prefix = path["pathType"] == "Prefix"
            found.append((path["path"], prefix, path["backend"]["service"]["name"]))
    for route in of_kind(manifests, "HTTPRoute"):
        for rule in route["spec"]["rules"]:
            service = next((ref["name"] for ref in rule.get("backendRefs", ())), "")
            for match in rule["matches"]:
                prefix = match["path"]["type"] == "PathPrefix"
                found.append((match["path"]["value"], prefix, service))
    return found


def service_of(manifests: list[Manifest], path: str) -> str:
    """The service a path leads to: an exact match first, then the longest prefix of whole parts."""
    best, length = "", -1
    for value, prefix, service in services_of_paths(manifests):
        base = value.rstrip("/")
        if path == value:
            exact = len(value) + (0 if prefix else 1000)
            if exact > length:
                best, length = service, exact
        elif prefix and (path == base or path.startswith(f"{base}/")) and len(base) > length:
            best, length = service, len(base)
    return best


# --- planting faults ---------------------------------------------------------------------------


def planted(manifests: list[Manifest], kind: str, name: str, *path: Any, value: Any) -> Any:
    """A copy with one value changed; the path must exist."""
    made = copy.deepcopy(manifests)
    place: Any = named(made, kind, name)
    for step in path[:-1]:
        place = place[step]
    assert place[path[-1]] != value
    place[path[-1]] = value
    return made


def places(value: Any, wanted: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where a value stands in nested objects."""
    if value == wanted and type(value) is type(wanted):
        yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, wanted, (*path, key))
    if isinstance(value, list):
        for index, inner in enumerate(value):
            yield from places(inner, wanted, (*path, index))
