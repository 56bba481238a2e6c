"""Logic grid puzzles: who lives in which house."""

from __future__ import annotations

import json
from typing import Any

_ASK = """\
{puzzle}

Fill in the grid. Reason step by step, and end your response with the answer as JSON in a fenced \
block of exactly this form, with a value in place of each ellipsis:

```json
{form}
```"""


def doc_to_text(doc: dict[str, Any]) -> str:
    form = {house: dict.fromkeys(cells, "...") for house, cells in _grid(doc).items()}
    return _ASK.format(puzzle=doc["puzzle"], form=json.dumps({"solution": form}, indent=2))


def doc_to_target(doc: dict[str, Any]) -> str:
    return json.dumps({"solution": _grid(doc)})


def process_results(doc: dict[str, Any], results: list[str]) -> dict[str, float]:
    """Score 1 if every cell is right, 0 otherwise."""
    grid = _grid(doc)
    said = _solution(results[0])
    cells = [
        _same(said.get(house), name, value)
        for house, row in grid.items()
        for name, value in row.items()
    ]
    return {"exact_match": float(bool(cells) and all(cells))}


def _grid(doc: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Return the values by house and characteristic."""
    _, *names = doc["solution"]["header"]
    return {
        f"House {number}": dict(zip(names, row[1:], strict=True))
        for number, row in enumerate(doc["solution"]["rows"], start=1)
    }


def _same(row: Any, name: str, value: str) -> bool:
    said = row.get(name) if isinstance(row, dict) else None
    if isinstance(said, list) and len(said) == 1:
        said = said[0]
    return isinstance(said, str | int) and str(said).strip().lower() == value.strip().lower()


def _solution(response: str) -> dict[str, Any]:
    """Return the last object that holds a solution; empty if there is none."""
    decoder = json.JSONDecoder()
    found: dict[str, Any] = {}
    position = response.find("{")
    while position >= 0:
        try:
            value, end = decoder.raw_decode(response, position)
        except ValueError:
            end = position + 1
        else:
            if isinstance(value, dict) and isinstance(value.get("solution"), dict):
                found = value["solution"]
        position = response.find("{", end)
    return found
