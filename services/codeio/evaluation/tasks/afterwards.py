"""For tasks whose answers are graded after all are given: by execution, many at a time."""

from __future__ import annotations

from typing import Any


def process_results(doc: dict[str, Any], results: list[str]) -> dict[str, int]:
    del doc, results
    return {"bypass": 0}
