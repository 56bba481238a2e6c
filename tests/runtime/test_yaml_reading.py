"""YAML of a user: its numbers are those of Kubernetes, of which Helm writes some by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from codeio.runtime.errors import UsageError
from codeio.runtime.settings import load_settings
from codeio.runtime.yaml_reading import read_yaml

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-5", 1e-5), ("-2E+3", -2000.0), (".5e1", 5.0), ("1.e2", 100.0), ("12", 12), ("1.5", 1.5)],
)
def test_numbers(text: str, value: float) -> None:
    assert read_yaml(f"[{text}]") == [[value]]


@pytest.mark.parametrize("text", ["e5", "1e", "1e-5x", "'1e-5'", "v1e5", "1-e5", "1.2.3e4"])
def test_text_is_none(text: str) -> None:
    assert read_yaml(f"[{text}]") == [[text.strip("'")]]


def test_settings_take_what_helm_makes_of_a_large_number(tmp_path: Path) -> None:
    config = tmp_path / "codeio.yaml"
    config.write_text("seed: 2e+06\n")
    assert load_settings(config).seed == 2_000_000


def test_settings_that_are_no_file_are_named_once(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        load_settings(tmp_path / "none.yaml")
    where = tmp_path / "none.yaml"
    assert str(refused.value) == f"cannot read the settings in {where}: No such file or directory"
