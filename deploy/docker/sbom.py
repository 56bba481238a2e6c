"""Write the bill of materials of a virtual environment, CycloneDX as JSON.

    sbom.py ENVIRONMENT OUT [FOLDER_OF_PACKAGES...]

Runs in an environment of its own that has cyclonedx-bom, inside the image's build.
"""

import json
import os
import subprocess
import sys
from pathlib import Path


def components(python: Path, folder: Path | None = None) -> dict:
    """Return the bill of one environment, or of a folder that is found by PYTHONPATH."""
    environment = dict(os.environ)
    if folder is not None:
        environment["PYTHONPATH"] = str(folder)
    made = subprocess.run(
        [Path(sys.executable).with_name("cyclonedx-py"), "environment", python],
        check=True, capture_output=True, env=environment,
    )  # fmt: skip
    return json.loads(made.stdout)


def main() -> None:
    environment, out, *folders = sys.argv[1:]
    python = Path(environment, "bin", "python")
    bill = components(python)
    known = {component["bom-ref"] for component in bill["components"]}
    for folder in folders:
        for component in components(python, Path(folder))["components"]:
            if component["bom-ref"] not in known:
                known.add(component["bom-ref"])
                bill["components"].append(component)
    Path(out).write_text(json.dumps(bill, indent=1, sort_keys=True) + "\n")


main()
