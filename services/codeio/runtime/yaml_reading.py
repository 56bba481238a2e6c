"""Reads YAML with the numbers of YAML 1.2, as Kubernetes does.

By YAML 1.1, of which PyYAML is, `1e-5` is text: it asks for a dot and for a sign of the exponent.
"""

from __future__ import annotations

import re
from typing import Any

import yaml


class _Loader(yaml.SafeLoader):
    """Knows floats of YAML 1.2 beside those of YAML 1.1."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)[eE][-+]?[0-9]+$"),
    list("-+.0123456789"),
)


def read_yaml(text: str) -> list[Any]:
    """Return the documents of a text, without empty ones.

    Raises:
        yaml.YAMLError: it is no YAML.
    """
    return [each for each in yaml.load_all(text, Loader=_Loader) if each is not None]
