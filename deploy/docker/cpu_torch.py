"""Let PyPI's torch be imported without NVIDIA's libraries, for tests on machines that have no GPU.

    python cpu_torch.py .../site-packages      # of an environment without packages of NVIDIA's

PyPI has one torch for Linux, and it is linked to a dozen libraries of NVIDIA's, 3 GB of them,
without which it cannot be imported. This writes a stand-in for each library that is missing: one
that has the functions torch is linked to, and each of them does nothing but return 100, which is
"no device" in CUDA. Nothing calls them where there is no GPU; where there is one, nothing works.

libcudart must be the real one (package nvidia-cuda-runtime, 7 MB): torch asks it for devices.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

# libcuda is the driver's, which torch looks for only when it needs it.
_REAL = ("libcuda.so", "libcudart.so")
_NVIDIAS_LIBRARY = re.compile(r"lib(cu|nccl|nvrtc|nvshmem|nvJit)")
_NVIDIAS_FUNCTION = re.compile(r"(cu|nccl|nvrtc|nvshmem|nvJit)")
# What has no version can be anywhere.
_UNVERSIONED = "libnccl.so.2"


def main(site_packages: Path) -> None:
    folder = site_packages / "torch" / "lib"
    libraries = [path for path in folder.glob("*.so*") if path.is_file()]
    missing = _linked(libraries) - {path.name for path in libraries}
    for library, functions in _wanted(libraries, missing).items():
        _compile(folder / library, functions)
        print(f"{library}: a stand-in for {sum(map(len, functions.values()))} functions")


def _linked(libraries: list[Path]) -> set[str]:
    """Return NVIDIA's libraries without which these cannot be loaded."""
    names: set[str] = set()
    for path in libraries:
        names |= set(re.findall(r"\(NEEDED\).*\[(.+?)\]", _run("readelf", "-dW", path)))
    return {name for name in names if _NVIDIAS_LIBRARY.match(name) and not name.startswith(_REAL)}


def _wanted(libraries: list[Path], missing: set[str]) -> dict[str, dict[str, set[str]]]:
    """Return by missing library and by version what is to be found there."""
    home = {}  # of a version
    undefined: set[str] = set()
    defined: set[str] = set()
    for path in libraries:
        library = ""
        for line in _run("readelf", "-VW", path).splitlines():
            if file := re.search(r"Version: \d+ +File: (\S+)", line):
                library = file[1]
            elif library and (version := re.search(r"Name: (\S+) +Flags:", line)):
                home[version[1]] = library
        for line in _run("nm", "-D", path).splitlines():
            *_, kind, symbol = line.split()
            (undefined if kind in "Uw" else defined).add(symbol)
    defined = {symbol.partition("@")[0] for symbol in defined}
    wanted: dict[str, dict[str, set[str]]] = {name: defaultdict(set) for name in sorted(missing)}
    for symbol in undefined:
        name, _, version = symbol.partition("@")
        library = home.get(version, "") if version else _UNVERSIONED
        if library in wanted and name not in defined and _NVIDIAS_FUNCTION.match(name):
            wanted[library][version].add(name)
    return wanted


def _compile(library: Path, functions: dict[str, set[str]]) -> None:
    names = sorted(name for each in functions.values() for name in each)
    with tempfile.TemporaryDirectory() as folder:
        source, versions = Path(folder, "stand-in.c"), Path(folder, "versions")
        source.write_text("".join(f"int {name}(void) {{ return 100; }}\n" for name in names))
        versions.write_text(
            "".join(
                f"{version} {{ global: {'; '.join(sorted(each))}; }};\n"
                for version, each in functions.items()
                if version
            )
        )
        options = [f"-Wl,--version-script={versions}"] if versions.stat().st_size else []
        # No built-in of the compiler's is meant by any name.
        _run(
            "gcc", "-shared", "-fPIC", "-nostdlib", "-fno-builtin", *options,
            f"-Wl,-soname,{library.name}", "-o", library, source,
        )  # fmt: skip


def _run(*command: str | Path) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    main(Path(sys.argv[1]))
