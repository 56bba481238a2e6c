"""How much does the recipe make of raw files, and how long does it take?

Runs `codeio run` on a source of raw files and prints, beside what the source
holds by a plain look at its syntax (files with a top-level function that has
arguments and a result, the reach of the simplest normalizer):

- files with a program past the bar, programs, pairs, samples;
- the share of right samples;
- the wall time of the run, and what its stages took, added over records side by side.

    python benchmarks/recipe.py [SOURCE]
"""

from __future__ import annotations

import argparse
import ast
import json
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

from codeio.collect import Collector
from codeio.runtime.settings import CollectSettings
from codeio.v1.records_pb2 import RawFile

RAW, ELSE = "../shared/data/pyedu_raw_500.jsonl", "pypi:algorithms==1.0.1"
CODEIO = Path(sys.executable).with_name("codeio")


def plain_functions(source: str) -> int:
    """Count the files with a top-level function that has arguments and returns something."""
    found = 0
    for _, record in Collector(CollectSettings()).collect([source]):
        if isinstance(record, RawFile):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(record.content)
            found += any(
                isinstance(node, ast.FunctionDef)
                and bool(node.args.args)
                and any(isinstance(n, ast.Return) and n.value for n in ast.walk(node))
                for node in tree.body
            )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", nargs="?", default=RAW if Path(RAW).exists() else ELSE)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "out")
        started = time.monotonic()
        subprocess.run([CODEIO, "run", arguments.source, "--out", out], check=True)
        seconds = time.monotonic() - started
        report = json.loads((out / "report.json").read_text())
    files = report["raw_files"]
    rows = {
        "files": f"{files:,}",
        "with a plain function (baseline)": share(plain_functions(arguments.source), files),
        "with a program past the bar": share(report["files_with_program"], files),
        "programs": f"{report['programs']:,}",
        "reproducible pairs": f"{report['pairs']:,}",
        "samples": f"{report['samples']:,}",
        "  right": share(report["samples_correct"], report["samples"]),
        "wall time": f"{seconds / 60:.1f} min",
    }
    rows |= {f"  in {stage}, added up": f"{s:.0f} s" for stage, s in report["seconds"].items()}
    for name, figure in rows.items():
        print(f"{name:<36} {figure}")


def share(part: int, whole: int) -> str:
    return f"{part:,} ({part / whole:.1%})" if whole else "none"


if __name__ == "__main__":
    main()
