"""Writes the chart's templates from the manifests of deploy/k8s: `python deploy/helm/build.py`.

A template is a manifest whose changeable values are replaced by expressions; everything else, the
comments too, is the manifest's. A test writes them again and compares, and another compares what
helm renders with what kustomize renders.
"""  # noqa: INP001

import pathlib
import re

HERE = pathlib.Path(__file__).parent
K8S = HERE.parent / "k8s"
CHART = HERE / "codex-proapi"
PART_OF = "app.kubernetes.io/part-of: codex-proapi"
HEAD = "{{/* Written by deploy/helm/build.py from %s; change that one. */ -}}\n"

Changes = tuple[tuple[str, str], ...]

SECRETS: Changes = (
    ("secretName: codex-proapi-redis", "secretName: {{ .Values.secrets.redis | quote }}"),
)
KEYS: Changes = (
    ("secretName: codex-proapi-keys", "secretName: {{ .Values.secrets.keys | quote }}"),
)
RELEASE: Changes = (
    ("release: kube-prometheus-stack", "release: {{ .Values.monitoring.release | quote }}"),
)


def service(name: str) -> Changes:
    """What the pods of both services have in common."""
    return (
        (
            f"image: codex-proapi/{name}\n          imagePullPolicy: IfNotPresent",
            (
                f'image: {{{{ include "image" (list . "{name}") | quote }}}}\n'
                "          imagePullPolicy: {{ .Values.images.pullPolicy }}"
            ),
        ),
        *SECRETS,
        *KEYS,
    )


GATEWAY: Changes = (
    *service("gateway"),
    ("minReplicas: 2", "minReplicas: {{ .Values.gateway.autoscaling.min }}"),
    ("maxReplicas: 10", "maxReplicas: {{ .Values.gateway.autoscaling.max }}"),
    ("averageUtilization: 70", "averageUtilization: {{ .Values.gateway.autoscaling.cpu }}"),
)
CONSOLE: Changes = (
    *service("console"),
    ("replicas: 2", "replicas: {{ .Values.console.replicas }}"),
)
REDIS: Changes = (
    ("image: redis\n", "image: {{ .Values.redis.image | quote }}\n"),
    ("image: oliver006/redis_exporter\n", "image: {{ .Values.redis.exporterImage | quote }}\n"),
    ("storage: 5Gi", "storage: {{ .Values.redis.storage }}"),
    (
        "        accessModes: [ReadWriteOnce]",
        (
            "        {{- with .Values.redis.storageClass }}\n        storageClassName: {{ . | quote }}\n"
            "        {{- end }}\n        accessModes: [ReadWriteOnce]"
        ),
    ),
    ("name: codex-proapi-redis\n", "name: {{ .Values.secrets.redis | quote }}\n"),
    *SECRETS,
)
RESEAL: Changes = (
    (
        "image: codex-proapi/console\n              imagePullPolicy: IfNotPresent",
        (
            'image: {{ include "image" (list . "console") | quote }}\n'
            "              imagePullPolicy: {{ .Values.images.pullPolicy }}"
        ),
    ),
    (
        "          automountServiceAccountToken: false\n",
        (
            "          {{- with .Values.console.pod }}\n          {{- toYaml . | nindent 10 }}\n"
            "          {{- end }}\n          automountServiceAccountToken: false\n"
        ),
    ),
    *SECRETS,
    *KEYS,
)
ROUTE: Changes = (
    (
        "    - name: web\n      namespace: gateway-system",
        "    {{- toYaml .Values.gatewayApi.parentRefs | nindent 4 }}",
    ),
    ("hostnames: [codex.example.com]", "hostnames: {{ toJson .Values.gatewayApi.hostnames }}"),
)
INGRESS: Changes = (
    ("hosts: [codex.example.com]", "hosts: [{{ .Values.ingress.host | quote }}]"),
    ("host: codex.example.com", "host: {{ .Values.ingress.host | quote }}"),
    ("secretName: codex-proapi-tls", "secretName: {{ .Values.ingress.tlsSecret | quote }}"),
    ("ingressClassName: nginx", "ingressClassName: {{ .Values.ingress.className | quote }}"),
    (
        "  annotations:\n",
        (
            "  annotations:\n    {{- with .Values.ingress.annotations }}\n"
            "    {{- toYaml . | nindent 4 }}\n    {{- end }}\n"
        ),
    ),
)
POLICY: Changes = (
    (
        "values: [ingress-nginx, gateway-system, monitoring]",
        "values: {{ toJson .Values.networkPolicy.from }}",
    ),
)
TEMPLATES: dict[str, tuple[str, Changes]] = {
    "base/gateway.yaml": ("", GATEWAY),
    "base/console.yaml": ("", CONSOLE),
    "base/policy.yaml": (".Values.networkPolicy.enabled", POLICY),
    "components/redis/redis.yaml": (".Values.redis.enabled", REDIS),
    "components/redis/policy.yaml": (
        "and .Values.redis.enabled .Values.networkPolicy.enabled",
        (),
    ),
    "components/reseal/job.yaml": (".Values.reseal.enabled", RESEAL),
    "components/reseal/policy.yaml": (
        "and .Values.reseal.enabled .Values.networkPolicy.enabled",
        (),
    ),
    "components/gateway-api/route.yaml": (".Values.gatewayApi.enabled", ROUTE),
    "components/ingress-nginx/ingress.yaml": (".Values.ingress.enabled", INGRESS),
    "components/monitoring/monitors.yaml": (".Values.monitoring.enabled", RELEASE),
}
"""A manifest, when it is wanted, and what is changed in it."""


def main() -> None:
    """Write every template."""
    for name, text in templates().items():
        (CHART / "templates" / name).write_text(text, encoding="utf-8")


def templates() -> dict[str, str]:
    """The written templates by their names."""
    made = {}
    for source, (wanted, changes) in TEMPLATES.items():
        folder, _, name = source.rpartition("/")
        # By the component too, where the manifest's own name says little or is used twice.
        if folder in ("components/redis", "components/reseal") and name != "redis.yaml":
            name = f"{folder.rpartition('/')[2]}-{name}"
        text = changed(source, (K8S / source).read_text(encoding="utf-8"), changes)
        if folder == "base":
            text = labelled(text)
        made[name] = HEAD % f"deploy/k8s/{source}" + conditional(wanted, with_pods(text))
    return made


def changed(source: str, text: str, changes: Changes) -> str:
    """A manifest with expressions in place of values.

    Raises:
        LookupError: A value is no longer there.
    """
    for old, new in changes:
        if old not in text:
            raise LookupError(f"{source} has no {old!r}")
        text = text.replace(old, new)
    return text


def labelled(text: str) -> str:
    """A manifest of the base with the label that kustomize adds, selectors aside."""
    text = re.sub(
        r"^( *)labels: &labels\n\1  (.+)\n",
        rf"\1labels:\n\1  {PART_OF}\n\1  <<: &labels\n\1    \2\n",
        text,
        flags=re.MULTILINE,
    )
    text = re.sub(
        r"^( *)labels: \*labels\n",
        rf"\1labels:\n\1  {PART_OF}\n\1  <<: *labels\n",
        text,
        flags=re.MULTILINE,
    )
    text = re.sub(
        r"^  labels:\n(    app\.kubernetes\.io/name)",
        rf"  labels:\n    {PART_OF}\n\1",
        text,
        flags=re.MULTILINE,
    )
    bare = re.compile(r"^(metadata:\n  name: .+\n)(?!  labels)", re.MULTILINE)
    return bare.sub(rf"\1  labels:\n    {PART_OF}\n", text)


def with_pods(text: str) -> str:
    """A manifest whose pods take resources, annotations and further fields from the values."""
    found = re.search(r"^  name: (gateway|console|redis)\n", text, re.MULTILINE)
    if found is None or "  template:\n    metadata:\n" not in text:
        return text
    name = found[1]
    text = text.replace(
        "  template:\n    metadata:\n",
        f'  template:\n    metadata:\n      {{{{- include "podAnnotations" (list . "{name}") | nindent 6 }}}}\n',
    )
    text = text.replace(
        "      automountServiceAccountToken: false\n",
        f"      {{{{- with .Values.{name}.pod }}}}\n      {{{{- toYaml . | nindent 6 }}}}\n"
        "      {{- end }}\n      automountServiceAccountToken: false\n",
    )
    return re.sub(
        r"(          resources:\n)(?:            .*\n)+",
        rf"\1            {{{{- toYaml .Values.{name}.resources | nindent 12 }}}}\n",
        text,
        count=1,
    )


def conditional(wanted: str, text: str) -> str:
    """A template that is rendered only when it is wanted."""
    return f"{{{{- if {wanted} }}}}\n{text}{{{{- end }}}}\n" if wanted else text


if __name__ == "__main__":
    main()
