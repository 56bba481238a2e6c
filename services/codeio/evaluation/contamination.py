"""Which questions of the suites share 13 tokens in a row with the training data.

The suites' questions are kept as 13-grams, about 100 bytes a token; the training
rows are read one after another. Words that many questions of a suite share are
the suite's wording, not a question's, and do not count; questions of one program
or problem share its words, and count as one. Of the project's own held-out
programs the code is compared.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from codeio.runtime.grams import GRAM, grams, strings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from codeio.evaluation.rows import Question
    from codeio.evaluation.suites import Suite
    from codeio.training_run.data.reading import Values

EXAMPLES = 5

# A gram in more clusters of a suite's questions than this, and in more than this share, is its
# wording.
_FEW, _SHARE = 5, 0.1


@dataclass
class _Found:
    """What of a suite was found so far."""

    questions: int
    too_short: int
    """Questions of fewer than 13 tokens, of which nothing can be told."""
    grams: dict[int, list[int]] = field(default_factory=dict)
    hits: dict[int, dict[str, str]] = field(default_factory=dict)
    """By the question's number: an example."""


def contamination(
    suites: Mapping[str, Suite],
    questions: Mapping[str, Sequence[Question]],
    rows: Iterable[tuple[str, Values]],
) -> dict[str, Any]:
    """Return by suite the number and share of questions that training rows share text with.

    `rows` are those trained on, with their names. Codecs and generators are part
    of a program, and shared by many: such a text counts where it is a question's.
    """
    found = {name: _index(suites[name], asked) for name, asked in questions.items() if asked}
    owners: dict[int, list[str]] = {}
    for name, each in found.items():
        for gram in each.grams:
            owners.setdefault(gram, []).append(name)
    count = 0
    for title, row in rows:
        count += 1
        for text in strings(row):
            for gram, tokens in grams(text):
                for name in owners.get(gram, ()):
                    for number in found[name].grams[gram]:
                        found[name].hits.setdefault(
                            number, {"row": title, "text": " ".join(tokens)}
                        )
    return {
        "tokens_in_a_row": GRAM,
        "training_rows": count,
        "suites": {name: _summary(each, questions[name]) for name, each in found.items()},
    }


def _index(suite: Suite, asked: Sequence[Question]) -> _Found:
    by_question = [
        {
            gram
            for column in suite.question
            for text in strings(question.row.get(column))
            for gram, _ in grams(text)
        }
        for question in asked
    ]
    clusters: dict[str, set[int]] = {}
    for question, its in zip(asked, by_question, strict=True):
        clusters.setdefault(suite.cluster_of(question), set()).update(its)
    often = Counter(gram for each in clusters.values() for gram in each)
    most = max(_FEW, _SHARE * len(clusters))
    found = _Found(questions=len(asked), too_short=sum(not each for each in by_question))
    for number, each in enumerate(by_question):
        for gram in each:
            if often[gram] <= most:
                found.grams.setdefault(gram, []).append(number)
    return found


def _summary(found: _Found, asked: Sequence[Question]) -> dict[str, Any]:
    examples = [
        {"question": asked[number].id, **found.hits[number]}
        for number in sorted(found.hits)[:EXAMPLES]
    ]
    return {
        "questions": found.questions,
        "shared": len(found.hits),
        "share": len(found.hits) / found.questions,
        "too_short": found.too_short,
        "examples": examples,
    }
