"""The contract: generated code is what proto/ says, and callers are not broken unnoticed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LANDED = ROOT / "proto" / "landed.txtpb"


def run(*command: str | Path, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def buf(*arguments: str | Path, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return run(Path(sys.executable).with_name("buf"), *arguments, folder=folder)


def test_generated_code_is_what_the_contract_says(tmp_path: Path) -> None:
    protos = sorted((ROOT / "proto" / "codeio" / "v1").glob("*.proto"))
    services = [path for path in protos if path.stem.endswith("_service")]
    stubs = Path(sys.executable).with_name("protoc-gen-mypy_grpc")
    outputs = (f"--python_out={tmp_path}", f"--pyi_out={tmp_path}")
    grpc = (f"--grpc_python_out={tmp_path}", f"--plugin={stubs}", f"--mypy_grpc_out={tmp_path}")
    protoc = (sys.executable, "-m", "grpc_tools.protoc", f"-I{ROOT / 'proto'}")

    for done in (run(*protoc, *outputs, *protos), run(*protoc, *grpc, *services)):
        assert done.returncode == 0, done.stderr

    fresh = {path.name: path.read_text() for path in (tmp_path / "codeio" / "v1").iterdir()}
    kept = {
        path.name: path.read_text()
        for path in (ROOT / "services" / "codeio" / "v1").glob("*_pb2*.py*")
    }
    assert kept.keys() == fresh.keys()
    assert [name for name in fresh if kept[name] != fresh[name]] == [], "run `make proto`"


@pytest.mark.parametrize("arguments", [("lint",), ("format", "--diff", "--exit-code")])
def test_the_contract_is_clean(arguments: tuple[str, ...]) -> None:
    done = buf(*arguments)

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_landed_contract_is_the_present_one() -> None:
    done = buf("build", "--exclude-source-info", "--output=-#format=txtpb")

    assert done.stdout == LANDED.read_text(), "run `make proto`"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("string program_id = 1;", "string program_id = 77;"),
        ("string program_id = 1;", "string identifier = 1;"),
        ("string program_id = 1;", "bytes program_id = 1;"),
        ("VERDICT_WRONG = 2;", ""),
    ],
)
def test_a_change_that_breaks_callers_is_noticed(tmp_path: Path, old: str, new: str) -> None:
    shutil.copytree(ROOT / "proto", tmp_path / "proto")
    shutil.copy(ROOT / "buf.yaml", tmp_path)
    records = tmp_path / "proto" / "codeio" / "v1" / "records.proto"
    against = ("breaking", "--against", LANDED)
    assert buf(*against, folder=tmp_path).returncode == 0

    text = records.read_text()
    assert old in text
    records.write_text(text.replace(old, new, 1))

    assert buf(*against, folder=tmp_path).returncode != 0
