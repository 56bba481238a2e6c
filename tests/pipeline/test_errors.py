"""Bad input gets one sentence and exit code 2, and leaves nothing behind."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.pipeline.conftest import Codeio


def refused(codeio: Codeio, *arguments: object, out: Path) -> str:
    """Call, and return the one line that says what is wrong."""
    done = codeio(*arguments, "--out", out)
    assert done.returncode == 2, done.stderr
    assert not out.exists()
    assert not list(out.parent.glob(f".{out.name}*"))
    assert "Traceback" not in done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, lines
    return lines[0]


def test_a_missing_path(codeio: Codeio, tmp_path: Path) -> None:
    told = refused(codeio, "run", "nowhere", out=tmp_path / "out")
    assert "nowhere" in told


def test_jsonl_that_is_none(codeio: Codeio, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("this\nis\nno JSON\n")
    told = refused(codeio, "run", "rows.jsonl", out=tmp_path / "out")
    assert "rows.jsonl" in told


def test_parquet_without_a_text_column(codeio: Codeio, tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": [1, 2]}), tmp_path / "rows.parquet")
    told = refused(codeio, "run", "rows.parquet", out=tmp_path / "out")
    assert "rows.parquet" in told
    assert "content" in told


def test_no_gvisor(
    codeio: Codeio, code: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("CODEIO_SANDBOX__HOME", str(tmp_path / "home"))
    told = refused(codeio, "run", code, out=tmp_path / "out")
    assert "codeio setup" in told


def test_a_folder_that_is_something_else(codeio: Codeio, code: Path, tmp_path: Path) -> None:
    done = codeio("run", code, "--out", code)
    assert done.returncode == 2
    assert "--out" in done.stderr
    assert not (code / "log.sqlite").exists()


@pytest.mark.parametrize("command", ["execute", "generate", "verify"])
def test_records_of_another_kind(codeio: Codeio, tmp_path: Path, command: str) -> None:
    (tmp_path / "records.jsonl").write_text("no record\n")
    told = refused(codeio, command, "records.jsonl", out=tmp_path / "out.jsonl")
    assert "records.jsonl" in told


def test_a_setting_that_is_none(codeio: Codeio, code: Path, tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_text("limits:\n  cpu_seconds: soon\n")
    told = refused(codeio, "run", code, "--config", "settings.yaml", out=tmp_path / "out")
    assert "limits.cpu_seconds" in told
    assert "settings.yaml" in told


def test_a_section_of_the_settings_that_is_misspelt(
    codeio: Codeio, code: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As Kubernetes names a Service that is called codeio-executor: no setting.
    monkeypatch.setenv("CODEIO_EXECUTOR_PORT", "tcp://10.0.0.1:50051")
    monkeypatch.setenv("CODEIO_LIMIT__CPU_SECONDS", "1")
    told = refused(codeio, "run", code, out=tmp_path / "out")
    assert "CODEIO_LIMIT__CPU_SECONDS" in told
    assert "limits" in told


def test_settings_of_a_file_that_have_no_name(codeio: Codeio, code: Path, tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_text("seed: 1\n1: 2\n")
    told = refused(codeio, "run", code, "--config", "settings.yaml", out=tmp_path / "out")
    assert "setting 1 in settings.yaml" in told


@pytest.mark.parametrize("servers", ["127.0.0.1:abc", "broker", "a:9092,b:"])
def test_a_broker_that_cannot_be_one(
    codeio: Codeio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, servers: str
) -> None:
    monkeypatch.setenv("CODEIO_KAFKA__BOOTSTRAP_SERVERS", servers)
    told = refused(codeio, "snapshot", out=tmp_path / "out")
    assert "which is not HOST:PORT" in told


def test_a_teacher_that_is_not_named(codeio: Codeio, code: Path, tmp_path: Path) -> None:
    told = refused(codeio, "run", code, "--teacher", "openai", out=tmp_path / "out")
    assert "CODEIO_TEACHER__MODEL" in told


def test_what_is_to_be_rewritten_needs_a_model(codeio: Codeio, code: Path, tmp_path: Path) -> None:
    told = refused(codeio, "run", code, "--ground", "trace", out=tmp_path / "out")
    assert "use --teacher openai" in told


def test_a_bad_row_among_many_is_counted_and_skipped(codeio: Codeio, tmp_path: Path) -> None:
    rows = [json.dumps({"content": f"def f(x):\n    return x + {i}\n"}) for i in range(3)]
    (tmp_path / "rows.jsonl").write_text("\n".join([rows[0], "{broken", *rows[1:]]) + "\n")
    done = codeio("collect", "rows.jsonl", "--out", "raw.jsonl", "--json")
    assert done.returncode == 0
    summary = json.loads(done.stdout)
    assert summary["raw_files"] == 3
    assert summary["rejections"] == {"bad_row": 1}
