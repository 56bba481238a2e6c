"""Questions about a passage, judged by the harness's own F1 once the answer is taken out.

The harness's task ends an answer at its first full stop, and so takes the first
sentence of one that reasons, and 3 for 3.5.
"""

from __future__ import annotations

from typing import Any

from lm_eval.tasks.drop.utils import get_answers
from lm_eval.tasks.drop.utils import process_results as judged

from codeio.evaluation.tasks.marked import marked


def doc_to_target(doc: dict[str, Any]) -> str:
    return "; ".join(get_answers(doc)[0])


def process_results(doc: dict[str, Any], results: list[str]) -> dict[str, float]:
    """Score the words of what is marked, at its best against one of the right answers."""
    parts = [part for part in (marked(results[0]) or "").split(";") if part.strip()]
    return {"f1": float(judged({"answers": get_answers(doc)}, parts)["f1"]) if parts else 0.0}
