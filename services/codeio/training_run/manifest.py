"""Reads a training run from YAML."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, ConfigDict, ValidationError

from codeio.runtime.errors import UsageError
from codeio.runtime.yaml_reading import read_yaml
from codeio.training_run.spec import Part, TrainingRunSpec
from codeio.training_run.suites import CATEGORIES, SUITES, unknown

GROUP = "codeio.dev"
VERSION = "v1alpha1"
KIND = "TrainingRun"
PLURAL = "trainingruns"

LONGEST_NAME = 40
"""With a stage's name and a pod's number behind it, a host's name of at most 63 characters."""
NAME = "^[a-z]([-a-z0-9]*[a-z0-9])?$"
"""Of a Service, which is called after the run and a step: it begins with no digit."""
NAME_IS = (
    f"it has at most {LONGEST_NAME} lower case letters, digits and hyphens, begins with a letter"
    " and ends with no hyphen, as Services are called after it"
)


def checked_name(name: str) -> str:
    """Return the name of a run.

    Raises:
        ValueError: none can be called so.
    """
    if len(name) > LONGEST_NAME or not re.fullmatch(NAME, name):
        raise ValueError(f"{name!r} is no name of a run: {NAME_IS}")
    return name


class Metadata(Part):
    """Of metadata, what matters here; the rest is the API server's."""

    model_config = ConfigDict(extra="ignore")

    name: Annotated[str, AfterValidator(checked_name)]


class TrainingRun(Part):
    """A training run as a manifest has it."""

    model_config = ConfigDict(extra="ignore")  # a status, of one that was got

    api_version: Literal["codeio.dev/v1alpha1"]
    kind: Literal["TrainingRun"]
    metadata: Metadata
    spec: TrainingRunSpec


def read_manifest(text: str, *, source: str) -> TrainingRun:
    """Return the training run that YAML or JSON describes.

    Raises:
        UsageError: it describes none; the message names `source`, the field and what is wrong.
    """
    try:
        documents = read_yaml(text)
    except yaml.YAMLError as error:
        raise UsageError(f"{source} is no YAML: {' '.join(str(error).split())}") from error
    if len(documents) != 1 or not isinstance(documents[0], dict):
        raise UsageError(f"{source} must hold one TrainingRun")
    return parse_manifest(documents[0], source=source)


def parse_manifest(document: dict[str, Any], *, source: str) -> TrainingRun:
    """Do as `read_manifest` for what has been read already.

    Raises:
        UsageError: see `read_manifest`.
    """
    kind = document.get("kind")
    if kind != KIND:
        what = f"but a {kind}" if isinstance(kind, str) and kind else "since it names no kind"
        raise UsageError(f"{source}: this is no {KIND}, {what}")
    # As JSON, which is how the API server gets it: there `2` is no text, and `true` no number.
    text = json.dumps(document, default=str)
    try:
        return TrainingRun.model_validate_json(text, strict=True, by_alias=True, by_name=False)
    except ValidationError as error:
        raise UsageError(f"{source}: {_first_error(error)}") from error


def _first_error(error: ValidationError) -> str:
    told = error.errors(include_url=False, include_context=False)
    # A list with a wrong entry is also told to lack one.
    around = {each["loc"][:depth] for each in told for depth in range(len(each["loc"]))}
    first, *others = [each for each in told if each["loc"] not in around]
    place = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        message = "there is no such field"
    elif first["loc"][:3] == ("spec", "evaluation", "suites") and isinstance(first["input"], str):
        message = unknown(first["input"], [*SUITES, *CATEGORIES], "suite or category")
    more = f" (and {len(others)} more)" if others else ""
    return f"{place or 'spec'}: {message}{more}"
