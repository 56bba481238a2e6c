"""Others read the data set with the `datasets` library."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any

import pytest
from datasets import load_dataset

from codeio.dataset import export
from codeio.runtime.settings import DatasetSettings
from tests.dataset import factory

if TYPE_CHECKING:
    from pathlib import Path

EVEN = DatasetSettings(splits=(0.4, 0.3, 0.3))


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`load_dataset` with an empty cache and no network."""

    def refuse(*args: object) -> None:
        raise AssertionError(f"the network was asked for: {args}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert os.environ["HF_HUB_OFFLINE"] == "1"
    return lambda *args, **more: load_dataset(*args, cache_dir=str(tmp_path / "cache"), **more)


def test_it_loads_whole_by_format_and_a_format_alone(tmp_path: Path, load: Any) -> None:
    out = tmp_path / "dataset"
    summary = export(factory.samples(20), out, settings=EVEN)
    default = load(str(out))
    assert {split: len(rows) for split, rows in default.items()} == summary.rows["messages"]
    assert default["train"][0]["messages"][-1]["role"] == "assistant"
    for form in EVEN.formats:
        loaded = load(str(out), form)
        assert {split: len(rows) for split, rows in loaded.items()} == summary.rows[form]
        alone = load(str(out / form))
        assert alone["test"].to_list() == loaded["test"].to_list()


def test_it_loads_without_the_splits_that_are_empty(tmp_path: Path, load: Any) -> None:
    summary = export(factory.samples(1), tmp_path / "dataset", settings=EVEN)
    loaded = load(str(tmp_path / "dataset"), "codeio")
    assert {split: len(rows) for split, rows in loaded.items()} == {
        split: rows for split, rows in summary.rows["codeio"].items() if rows
    }


def test_it_loads_unasked_what_has_rows(tmp_path: Path, load: Any) -> None:
    wrong = factory.sample(verdicts=(factory.WRONG,))
    export([wrong], tmp_path / "dataset", settings=EVEN)
    (rows,) = load(str(tmp_path / "dataset")).values()
    assert rows[0]["turn_1"] == wrong.turns[0].response
