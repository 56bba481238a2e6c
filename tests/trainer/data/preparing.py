"""Prepares stages in a process of its own, and tells how that went, a line of JSON each.

usage: python -m tests.trainer.data.preparing TOKENIZER FOLDER ROWS...
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

from transformers import AutoTokenizer

from codeio.training_run.outcomes import RunError
from tests.trainer.data.making import prepared


def main(model: str, folder: str, *files: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(model)
    for file in files:
        source = {"path": file, "format": "PromptCompletion"}
        said: dict[str, object] = {}
        try:
            corpus = prepared(source, tokenizer=tokenizer, folder=Path(folder))
            said["samples"] = sum(len(corpus.samples(step)) for step in range(corpus.steps))
        except RunError as error:
            said |= {"reason": error.reason, "message": str(error)}
        said["peak_kib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        said["left"] = sorted(path.name for path in Path(folder).parent.iterdir())
        sys.stdout.write(json.dumps(said) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
