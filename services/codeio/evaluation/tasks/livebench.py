"""LiveBench's tasks whose answers a few lines can judge.

An answer stands between `<solution>` and `</solution>`, as the questions ask;
older ones ask for bold, mathematics for a box.

Answers are scored as LiveBench does, but looked for in one way for all tasks, where
its own ways differ by task and release. So in `spatial` the last bold words count
alone, not the last three, and must be the answer, not contain it, as in
`zebra_puzzle`; of several tags only the last is read; and what stands on the last
line will do. Formulas are compared by math-verify.
"""

from __future__ import annotations

import ast
import difflib
import re
from typing import TYPE_CHECKING, Any

from codeio.evaluation.tasks.marked import boxes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_SOLUTION = re.compile(r"<solution>(.*?)</solution>", re.DOTALL)
_BOLD = re.compile(r"\*\*\*?([^*]+)\*\*\*?")
_OPTION = re.compile(r"\\textbf\{\(([A-E])\)\s?\}(.*?)(?:\\qquad|\$)")
_THOUGHT = re.compile(r"<think>.*?</think>", re.DOTALL)
_NUMBERS = dict(
    zip(
        ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"],
        map(str, range(11)),
        strict=True,
    )
)


def doc_to_target(doc: dict[str, Any]) -> str:
    return str(doc["ground_truth"])


def process_results(doc: dict[str, Any], results: list[str]) -> dict[str, float]:
    rule = _rule_of(doc)
    if rule is None:
        raise ValueError(f"LiveBench's task {doc['task']} is not one that can be judged")
    response = _THOUGHT.sub("", results[0]).strip()
    return {"exact_match": float(rule(str(doc["ground_truth"]).strip(), response, doc))}


def judged(doc: dict[str, Any]) -> bool:
    """Tell whether there is a rule for a row."""
    return _rule_of(doc) is not None


def withdrawn(doc: dict[str, Any]) -> bool:
    """Tell whether LiveBench does not ask a question any more."""
    return bool(doc.get("livebench_removal_date"))


def _rule_of(doc: dict[str, Any]) -> Callable[[str, str, dict[str, Any]], float] | None:
    name = str(doc.get("subtask") or doc["task"]).lower()
    for beginning, rule in _RULES:
        if re.match(beginning, name):
            return rule
    return None


def _given(response: str) -> str:
    """Return the answer as it stands: between tags, in a box, in bold, or on the last line."""
    for finding in (_SOLUTION.findall, boxes, _BOLD.findall):
        if found := finding(response):
            return str(found[-1]).strip()
    return response.rpartition("\n")[2].strip()


def _words(text: str) -> list[str]:
    return [re.sub(r"[-_\s]+", " ", word).strip().lower() for word in text.split(",")]


def _list(truth: str, response: str, doc: dict[str, Any]) -> float:
    del doc
    return float(_words(_given(response).strip(". ")) == _words(truth))


def _zebra(truth: str, response: str, doc: dict[str, Any]) -> float:
    """Score the mean of the share that is right and of whether all is."""
    del doc
    said = [_NUMBERS.get(word, word) for word in _words(_given(response).strip(". "))]
    wanted = [_NUMBERS.get(word, word) for word in _words(truth)]
    right = sum(ours == theirs for ours, theirs in zip(said, wanted, strict=False))
    return ((said == wanted) + right / len(wanted)) / 2


def _word(truth: str, response: str, doc: dict[str, Any]) -> float:
    del doc
    said = _given(response).lower().strip(". ")
    return float(_NUMBERS.get(said, said) == _NUMBERS.get(truth.lower(), truth.lower()))


def _letter(truth: str, response: str, doc: dict[str, Any]) -> float:
    """Judge a choice; questions ask for the letter five times over, and its value will do."""
    if re.search(rf"(?<![A-Z]){truth}{{4,6}}(?![A-Z])", response):
        return 1.0
    value = dict(_OPTION.findall(doc["turns"][0])).get(truth, "").strip().strip("$~")
    if value and value in response[-20 - len(value) :]:
        return 1.0
    letters = set(re.sub(r"[^A-Za-z]", "", _given(response)).upper())
    return float(letters == {truth.upper()})


def _integer(truth: str, response: str, doc: dict[str, Any]) -> float:
    """Judge a whole number: at the end as it is, marked with zeros in front or without."""
    del doc
    if truth in response[-50:]:
        return 1.0
    numbers = re.findall(r"\d+", _given(response)) or re.findall(r"\d+", response[-50:])
    return float(bool(numbers) and int(numbers[-1]) == int(truth))


def _formula(truth: str, response: str, doc: dict[str, Any]) -> float:
    from math_verify import parse, verify  # noqa: PLC0415  (slow)

    del doc
    said = _SOLUTION.sub(r"\\boxed{\1}", response)
    return float(verify(parse(f"${truth}$"), parse(said)))


def _order(truth: str, response: str, doc: dict[str, Any]) -> float:
    """Judge numbers in an order by their edit distance."""
    del doc
    marked = re.findall(r"(?im)^.*answer\s*:\**(.*)$", response)
    said = re.findall(r"\d+", marked[-1] if marked else _given(response))
    wanted = re.findall(r"\d+", truth)
    return 1 - _distance(said, wanted) / max(len(said), len(wanted))


def _column(truth: str, response: str, doc: dict[str, Any]) -> float:
    del doc
    ours, theirs = (re.sub(r"\W", "", text).lower() for text in (_given(response), truth))
    return float(ours == theirs)


def _join(truth: str, response: str, doc: dict[str, Any]) -> float:
    """Judge a mapping of columns by F1."""
    del doc
    said, wanted = _mapping(response), ast.literal_eval(truth)
    right = sum(wanted.get(name) == value for name, value in said.items())
    return float(2 * right / max(1, len(said) + len(wanted)))


def _mapping(response: str) -> dict[Any, Any]:
    for text in reversed(re.findall(r"\{[^{}]*\}", response)):
        try:
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            continue
        if isinstance(value, dict):
            return value
    return {}


def _groups(truth: str, response: str, doc: dict[str, Any]) -> float:
    """Score the share of the groups of four that are found."""
    del doc
    said = {frozenset(group) for group in _by_four(_words(_given(response)))}
    wanted = {frozenset(group) for group in _by_four(_words(truth))}
    return len(said & wanted) / len(wanted)


def _by_four(words: Sequence[str]) -> list[Sequence[str]]:
    return [words[start : start + 4] for start in range(0, len(words), 4)]


def _contains(truth: str, response: str, doc: dict[str, Any]) -> float:
    del doc
    return float(" ".join(truth.split()) in " ".join(response.split()))


def _plot(truth: str, response: str, doc: dict[str, Any]) -> float:
    """Judge sentences in an order by the edit distance to the right one."""
    del doc
    said = _sentences(response.rpartition("<PLOT_SUMMARY>")[2])
    wanted = _sentences(truth)
    order = [
        said.index(near[0])
        for sentence in wanted
        if (near := difflib.get_close_matches(sentence, said, n=1, cutoff=0.0))
    ]
    return max(0.0, 1 - _distance(order, list(range(len(wanted)))) / len(wanted))


def _sentences(text: str) -> list[str]:
    text = text.replace("</PLOT_SUMMARY>", "")
    return [sentence.strip() for sentence in text.split(".") if sentence.strip()]


def _distance(one: Sequence[Any], other: Sequence[Any]) -> int:
    """Return the number of insertions, deletions and replacements between two sequences."""
    row = list(range(len(other) + 1))
    for number, left in enumerate(one, start=1):
        previous, row[0] = row[0], number
        for place, right in enumerate(other, start=1):
            changed = previous + (left != right)
            previous = row[place]
            row[place] = min(row[place] + 1, row[place - 1] + 1, changed)
    return row[-1]


# By the beginning of the subtask's or the task's name.
_RULES: tuple[tuple[str, Callable[[str, str, dict[str, Any]], float]], ...] = (
    ("web_of_lies", _list),
    ("zebra_puzzle", _zebra),
    ("spatial", _word),
    ("amps_hard", _formula),
    ("aime", _integer),
    (r"amc|smc|\w+_amc", _letter),
    ("imo|usamo", _order),
    ("cta", _column),
    ("tablejoin", _join),
    ("connections", _groups),
    ("plot_unscrambling", _plot),
    ("typos", _contains),
)
