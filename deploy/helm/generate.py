"""Write what the chart derives from other files: its README, the topics for Strimzi, and the
schema of TrainingRun.

    python deploy/helm/generate.py          # `make chart`; the tests compare

The README is made of values.yaml: a comment that begins with `# --` describes the key below it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

from codeio.runtime.kafka.topics import topic_configs
from codeio.runtime.topics import DEAD_LETTERS, TOPICS
from codeio.training_run.definition import resource_schema

CHART = Path(__file__).parent / "codeio"
_KEY = re.compile(r"^(?P<indent> *)(?P<key>[A-Za-z]+):")


def readme() -> str:
    """Return the chart's README."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    rows = [
        f"| `{path}` | {_shown(value)} | {described} |"
        for path, value, described in described_values()
    ]
    return _README.format(version=chart["version"], kube=chart["kubeVersion"], rows="\n".join(rows))


def described_values() -> list[tuple[str, Any, str]]:
    """Return each documented value: its path, its default, and what is said of it."""
    text = (CHART / "values.yaml").read_text()
    values = yaml.safe_load(text)
    found: list[tuple[str, Any, str]] = []
    path: list[tuple[int, str]] = []
    said = ""
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("# -- "):
            said = stripped.removeprefix("# -- ")
        elif match := _KEY.match(line):
            indent = len(match["indent"])
            path = [(depth, key) for depth, key in path if depth < indent]
            path.append((indent, match["key"]))
            keys = [key for _, key in path]
            if said or keys[-1] == "resources":
                found.append((".".join(keys), _at(values, keys), said or "Requests and limits."))
            said = ""
    return found


def topics() -> str:
    """Return the topics as the chart declares them to Strimzi, replicas aside."""
    declared = {
        topic.name: {
            **({"partitions": 1} if topic is DEAD_LETTERS else {}),
            "config": {
                key: value
                for key, value in topic_configs(topic, replicas=3).items()
                if key != "min.insync.replicas"  # by kafka.replicas
            },
        }
        for topic in TOPICS.values()
    }
    return "# By `make chart` from services/codeio/runtime/kafka/topics.py.\n" + yaml.safe_dump(
        declared
    )


def training_run() -> str:
    """Return the schema of the custom resource TrainingRun."""
    # Written as it is everywhere: what is the same in two places is no anchor.
    schema = json.loads(json.dumps(resource_schema()))
    return "# By `make chart` from services/codeio/training_run.\n" + yaml.safe_dump(
        schema, sort_keys=False, width=100
    )


def _at(values: Any, keys: list[str]) -> Any:
    for key in keys:
        values = values[key]
    return values


def _shown(value: Any) -> str:
    return f"`{json.dumps(value)}`" if value not in ("", None) else "empty"


_README = """\
# codeio, the chart

Version {version}; Kubernetes {kube}. `make chart` writes this file from `values.yaml`.

```sh
helm install codeio deploy/helm/codeio --namespace codeio --create-namespace \\
  --values deploy/helm/codeio/ci/trial-values.yaml     # a trial, with a broker of its own
```

[docs/install.md](../../../docs/install.md) tells how to install it, for a trial and for production;
[docs/operations.md](../../../docs/operations.md) how to run it. All pods meet Pod Security
`restricted`; sandboxes need a RuntimeClass of gVisor.

| value | default | what |
|---|---|---|
{rows}
"""


def main() -> None:
    (CHART / "README.md").write_text(readme())
    (CHART / "files" / "topics.yaml").write_text(topics())
    (CHART / "files" / "trainingrun.yaml").write_text(training_run())


if __name__ == "__main__":
    main()
