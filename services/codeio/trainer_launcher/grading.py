"""What the pods that measure a model are given, to have the verifier grade its answers.

Secrets are named and mounted by the kubelet, which renews the files: the launcher reads none, and
what they hold stands in no Job. As all that a pod mounts they are in the run's namespace.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from codeio.training_run import environment

if TYPE_CHECKING:
    from codeio.runtime.settings import TrainerLauncherSettings

_VOLUME = "verifier"
_FOLDER = PurePosixPath("/etc/codeio/verifier")


def variables(settings: TrainerLauncherSettings) -> dict[str, str]:
    """Return the environment variables that name the verifier and the files to call it with."""
    named = {}
    if settings.verifier_address:
        named[environment.VERIFIER_ADDRESS] = settings.verifier_address
    for _, files in _secrets(settings):
        named |= {variable: str(_FOLDER / key) for variable, key in files.items()}
    return named


def volumes(settings: TrainerLauncherSettings) -> list[dict[str, Any]]:
    """Return the volume of those files, if there are any."""
    sources = [
        {"secret": {"name": name, "items": [{"key": key, "path": key} for key in files.values()]}}
        for name, files in _secrets(settings)
    ]
    return [{"name": _VOLUME, "projected": {"sources": sources}}] if sources else []


def mounts(settings: TrainerLauncherSettings) -> list[dict[str, Any]]:
    """Return where that volume is."""
    return [
        {"name": volume["name"], "mountPath": str(_FOLDER), "readOnly": True}
        for volume in volumes(settings)
    ]


def _secrets(settings: TrainerLauncherSettings) -> list[tuple[str, dict[str, str]]]:
    """Return the Secrets, each with its keys by the variable that names their file."""
    found = []
    if settings.verifier_token_secret:
        found.append((settings.verifier_token_secret, {environment.VERIFIER_TOKEN_FILE: "token"}))
    if settings.verifier_tls_secret:
        files = {environment.VERIFIER_CA_FILE: "ca.crt"}
        if settings.verifier_client_certificate:
            files[environment.VERIFIER_CERTIFICATE_FILE] = "tls.crt"
            files[environment.VERIFIER_KEY_FILE] = "tls.key"
        found.append((settings.verifier_tls_secret, files))
    return found
