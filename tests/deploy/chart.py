"""The chart as Helm renders it, for the tests."""

from __future__ import annotations

import fcntl
import functools
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy" / "helm" / "codeio"
SCENARIOS = sorted(path.name for path in (CHART / "ci").glob("*-values.yaml"))
_HELM = "v4.3.1"
_CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "codeio-tests"

Manifest = dict[str, Any]


class Refused(Exception):
    """Helm's own words for why it renders nothing."""


@functools.cache
def helm() -> str:
    """Return the path of Helm, built with Go on the first call on a machine that has none."""
    if found := shutil.which("helm"):
        return found
    home = _CACHE / f"helm-{_HELM}"
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "helm").exists():
            if not shutil.which("go"):
                pytest.skip("no helm: install it, or Go 1.24 or newer, with which it is built")
            subprocess.run(
                ["go", "install", f"helm.sh/helm/v4/cmd/helm@{_HELM}"],
                check=True,
                capture_output=True,
                timeout=900,
                cwd=home,
                env=os.environ | {"GOBIN": str(home), "CGO_ENABLED": "0"},
            )
    return str(home / "helm")


def run_helm(*arguments: str, values: object = None) -> str:
    """Run Helm; values that are given are on its standard input, to be named as `-f -`.

    Raises:
        Refused: it ended with an error.
    """
    done = subprocess.run(
        [helm(), *arguments],
        input=None if values is None else json.dumps(values),
        stdin=subprocess.DEVNULL if values is None else None,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode:
        raise Refused(done.stderr.strip() or done.stdout.strip())
    return done.stdout


def render(
    scenario: str | None = None, *options: str, values: Manifest | None = None
) -> list[Manifest]:
    """Return what a release `codeio` in the namespace `demo` consists of.

    Raises:
        Refused: the values are wrong.
    """
    command = ["template", "codeio", str(CHART), "--namespace", "demo", *options]
    if scenario is not None:
        command += ["--values", str(CHART / "ci" / scenario)]
    if values is not None:
        command += ["--values", "-"]
    return [doc for doc in yaml.safe_load_all(run_helm(*command, values=values)) if doc]


@functools.cache
def rendered(scenario: str | None) -> tuple[Manifest, ...]:
    """Return `render(scenario)`, made once; nobody may change it."""
    return tuple(render(scenario))


def one(manifests: Iterable[Manifest], kind: str, name: str) -> Manifest:
    """Return the one of a kind and a name."""
    [found] = [m for m in manifests if (m["kind"], m["metadata"]["name"]) == (kind, name)]
    return found


def pods(manifests: Iterable[Manifest]) -> Iterator[tuple[str, Manifest]]:
    """Yield the name of each workload and the specification of its pods."""
    for manifest in manifests:
        match manifest["kind"]:
            case "Pod":
                spec = manifest["spec"]
            case "Deployment" | "StatefulSet" | "Job":
                spec = manifest["spec"]["template"]["spec"]
            case "CronJob":
                spec = manifest["spec"]["jobTemplate"]["spec"]["template"]["spec"]
            case _:
                continue
        yield manifest["metadata"]["name"], spec


def variables(manifests: Iterable[Manifest], service: str) -> dict[str, str]:
    """Return the settings of a service, those of its own pod aside."""
    return dict(one(manifests, "ConfigMap", f"codeio-{service}")["data"])
