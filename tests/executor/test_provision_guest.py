"""Building the packages that programs meet in the sandbox."""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from codeio.executor.sandbox import guest_environment as guest
from codeio.runtime.errors import UsageError
from codeio.runtime.settings import default_home


def wheel(folder: Path, *, name: str = "answer", source: str = "VALUE = 42\n") -> Path:
    files = {
        f"{name}/__init__.py": source,
        f"{name}/tests/broken.py": "not python",
        f"{name}-1.0.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{name}-1.0.dist-info/WHEEL": (
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        ),
    }
    record = f"{name}-1.0.dist-info/RECORD"
    digests = {
        path: base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        for path, text in files.items()
    }
    rows = [f"{path},sha256={digests[path]},{len(text)}" for path, text in files.items()]
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for inside, text in {**files, record: "\n".join([*rows, f"{record},,"])}.items():
            archive.writestr(inside, text)
    return path


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lock of one small package, on a machine that knows no index."""
    built = wheel(tmp_path)
    lock = tmp_path / "requirements.lock"
    digest = hashlib.sha256(built.read_bytes()).hexdigest()
    lock.write_text(f"answer==1.0 --hash=sha256:{digest}\n")
    monkeypatch.setattr(guest, "LOCK", lock)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    return lock


def run(environment: guest.GuestEnvironment, code: str) -> str:
    return subprocess.run(
        [environment.python, "-s", "-B", "-c", code],
        env={"PYTHONPATH": str(environment.prefix), "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


def test_the_interpreter_finds_the_packages_and_not_codeio(lock: Path, tmp_path: Path) -> None:
    built = guest.build_guest_environment(tmp_path / "home", say=lambda line: None)

    assert guest.guest_environment(tmp_path / "home") == built
    assert run(built, "import answer; print(answer.VALUE)") == "42"
    assert run(built, "import importlib.util as u; print(u.find_spec('codeio'))") == "None"
    assert run(built, "import platform; print(platform.python_version())") == built.python_version
    assert built.lock_hash == hashlib.sha256(lock.read_bytes()).hexdigest()


def test_bytecode_is_there_beforehand_and_needs_no_clock(lock: Path, tmp_path: Path) -> None:
    built = guest.build_guest_environment(tmp_path / "home", say=lambda line: None)
    os.utime(built.prefix / "answer" / "__init__.py", (0, 0))

    trace = subprocess.run(
        [built.python, "-s", "-B", "-v", "-c", "import answer"],
        env={"PYTHONPATH": str(built.prefix)},
        capture_output=True,
        text=True,
        check=True,
    ).stderr

    assert "code object from " + repr(str(built.prefix / "answer" / "__pycache__"))[:-1] in trace


def test_what_was_not_built_names_the_command(lock: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="codeio setup"):
        guest.guest_environment(tmp_path / "home")


def test_another_lock_is_another_environment(lock: Path, tmp_path: Path) -> None:
    guest.build_guest_environment(tmp_path / "home", say=lambda line: None)
    lock.write_text(lock.read_text() + "# another\n")

    with pytest.raises(UsageError):
        guest.guest_environment(tmp_path / "home")


def test_a_package_with_another_hash_is_refused_and_leaves_nothing(
    lock: Path, tmp_path: Path
) -> None:
    wheel(tmp_path, source="VALUE = 'tampered'\n")

    with pytest.raises(UsageError, match="cannot install the guest's packages"):
        guest.build_guest_environment(tmp_path / "home", say=lambda line: None)
    with pytest.raises(UsageError, match="codeio setup"):
        guest.guest_environment(tmp_path / "home")


def test_an_interrupted_build_is_not_taken_for_a_whole_one(
    lock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(command: list[str | Path]) -> None:
        (partial,) = (str(a).partition("=")[2] for a in command if str(a).startswith("--target="))
        Path(partial).mkdir(parents=True)
        Path(partial, "half").touch()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(guest, "_run", killed)
        with pytest.raises(KeyboardInterrupt):
            guest.build_guest_environment(tmp_path / "home", say=lambda line: None)
    with pytest.raises(UsageError):
        guest.guest_environment(tmp_path / "home")

    built = guest.build_guest_environment(tmp_path / "home", say=lambda line: None)

    assert not (built.prefix / "half").exists()
    assert {path.name for path in built.prefix.parent.iterdir()} == {
        built.prefix.name,
        built.zygote.name,
    }


def test_one_of_many_that_ask_at_once_builds(lock: Path, tmp_path: Path) -> None:
    said: list[str] = []

    with ThreadPoolExecutor(4) as pool:
        built = list(
            pool.map(
                lambda _: guest.build_guest_environment(tmp_path / "home", say=said.append),
                range(4),
            )
        )

    assert len(set(built)) == 1
    assert sum(line.startswith("installing") for line in said) == 1


def test_the_locked_packages_work() -> None:
    try:
        environment = guest.guest_environment(default_home())
    except UsageError as error:
        pytest.skip(str(error))

    assert (
        run(
            environment,
            "import networkx, numpy, pandas, scipy.linalg, sympy\n"
            "import dateutil.parser, sortedcontainers\n"
            "print(sympy.Integer(int(numpy.array([1, 2]).sum())) + len(pandas.Series([1])))",
        )
        == "4"
    )
