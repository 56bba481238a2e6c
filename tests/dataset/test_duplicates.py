"""Which programs stand for others."""

from __future__ import annotations

import random
import sqlite3
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codeio.dataset import export
from codeio.dataset.duplicates import (
    DuplicateIndex,
    bands_for,
    jaccard,
    token_grams,
)
from codeio.dataset.splits import SPLITS, split_of
from codeio.dataset.trees import tree_digest
from codeio.runtime.settings import DatasetSettings
from tests.dataset import factory

if TYPE_CHECKING:
    from pathlib import Path

BASE = '''\
import math

def helper(x, scale=2):
    """Scale x."""
    return x * scale  # twice

def main_solution(values):
    total = 0
    for value in values:
        total += helper(value)
    return math.floor(total)
'''

RENAMED = """\
import math


def times(number, factor=2):
    return (number * factor)


def main_solution(xs):
    result = 0
    for x in xs:
        result += times(x)
    return math.floor(result)
"""


def digest(code: str) -> bytes:
    return tree_digest(code, entry_point="main_solution")


def test_comments_layout_docstrings_and_own_names_do_not_count() -> None:
    assert digest(BASE) == digest(RENAMED)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("scale=2", "scale=3"),
        ("math.floor", "math.ceil"),
        ("total += helper(value)", "total -= helper(value)"),
        ("helper(value)", "abs(value)"),
        ("return x * scale", "return scale * scale"),
        ("total = 0", "total = 0.0"),
        ("math", "cmath"),
    ],
)
def test_what_changes_the_meaning_counts(old: str, new: str) -> None:
    assert old in BASE
    assert digest(BASE) != digest(BASE.replace(old, new))


def test_names_that_reach_outside_are_not_exchanged() -> None:
    # `key` and `reverse` are the program's own names, and keywords of `sorted` too.
    one = "def main_solution(xs):\n    key = None\n    return sorted(xs, key=key)\n"
    two = "def main_solution(xs):\n    reverse = None\n    return sorted(xs, reverse=reverse)\n"
    assert digest(one) != digest(two)
    one = "def main_solution(xs):\n    pop = 1\n    return xs.pop(pop)\n"
    assert digest(one) != digest(one.replace("pop", "index"))


def test_a_builtin_is_not_exchanged_for_another_behind_a_parameter_of_its_name() -> None:
    one = "def f(list):\n    return 1\ndef main_solution(x):\n    return list(x)\n"
    assert digest(one) != digest(one.replace("list", "sorted"))


def test_an_empty_field_is_no_none() -> None:
    one = "def main_solution(x):\n    return {None: x}\n"
    assert digest(one) != digest(one.replace("None: x", "**x"))


def test_arguments_by_keyword_are_not_swapped() -> None:
    one = "def f(a, b):\n    return a - b\ndef main_solution(x, y):\n    return f(a=x, b=y)\n"
    two = "def f(b, a):\n    return b - a\ndef main_solution(x, y):\n    return f(a=x, b=y)\n"
    assert digest(one) != digest(two)


def test_the_entry_point_counts() -> None:
    code = "def f(x):\n    return x\ndef g(x):\n    return x\n"
    assert tree_digest(code, entry_point="f") != tree_digest(code, entry_point="g")


@pytest.mark.parametrize(
    "code", ["def (", "x = '\0'", "(" * 5000, "-" * 100_000 + "1", "'\\d'", "\ud800", ""]
)
def test_code_of_any_kind_has_a_digest_and_grams(code: str) -> None:
    assert digest(code) == digest(code)
    assert token_grams(code).size > 0


def test_comments_and_layout_are_no_tokens() -> None:
    spread = BASE.replace("x * scale  # twice", "(\n        x  # left\n        * scale\n    )")
    shared = jaccard(token_grams(BASE), token_grams(BASE.replace("  # twice", "")))
    assert shared == 1
    assert jaccard(token_grams(BASE), token_grams(spread)) < 1
    assert token_grams("a  =  1 # b\n").tolist() == token_grams("a=1").tolist()


def test_a_hash_sign_in_a_string_starts_no_comment() -> None:
    assert token_grams("x = '#' + y + z").tolist() != token_grams("x = '#' + y + q").tolist()


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.9, 1.0])
def test_bands_find_what_is_at_the_threshold(threshold: float) -> None:
    bands, rows = bands_for(threshold)
    assert 1 - (1 - threshold**rows) ** bands >= 0.995


@given(st.sets(st.integers(0, 60)), st.sets(st.integers(0, 60)))
def test_similarity_is_jaccards(left: set[int], right: set[int]) -> None:
    arrays = [np.array(sorted(side), dtype=np.uint32) for side in (left, right)]
    expected = len(left & right) / len(left | right) if left | right else 1.0
    assert jaccard(arrays[0], arrays[1]) == expected


def variant(number: int, *, changed: int) -> str:
    """Return program `number` with some of its 40 lines replaced."""
    lines = factory.code(number, lines=40).splitlines(keepends=True)
    other = factory.code(number + 1000, lines=40).splitlines(keepends=True)
    for place in random.Random(changed).sample(range(1, 41), changed):
        lines[place] = other[place]
    return "".join(lines)


@settings(max_examples=15)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 12)), min_size=2, max_size=12, unique=True)
)
def test_no_two_kept_programs_are_alike_and_every_removed_one_is(
    chosen: list[tuple[int, int]],
) -> None:
    index = DuplicateIndex(sqlite3.connect(":memory:"), threshold=0.7)
    codes = {f"{place:03}": variant(n, changed=c) for place, (n, c) in enumerate(chosen)}
    kept: list[str] = []
    for name in sorted(codes):
        found = index.original(name, code=codes[name], entry_point="main_solution")
        if found is None:
            kept.append(name)
        else:
            kind, original = found
            assert original in kept
            if kind == "near":
                alike = jaccard(token_grams(codes[name]), token_grams(codes[original]))
                assert alike >= 0.7
    for place, one in enumerate(kept):
        for other in kept[:place]:
            # Right at the threshold a pair in two hundred may be missed; well above, none.
            assert jaccard(token_grams(codes[one]), token_grams(codes[other])) < 0.8


def test_programs_that_share_much_but_less_than_the_threshold_are_both_kept() -> None:
    shared = []
    for number in range(10):
        one, two = variant(number, changed=0), variant(number, changed=10)
        shared.append(jaccard(token_grams(one), token_grams(two)))
        index = DuplicateIndex(sqlite3.connect(":memory:"), threshold=0.7)
        assert index.original("1", code=one, entry_point="main_solution") is None
        assert index.original("2", code=two, entry_point="main_solution") is None
    # So alike that most of them meet in some band.
    assert 0.5 < min(shared) < max(shared) < 0.7


def test_the_smallest_id_stands_for_its_duplicates_and_takes_none_of_their_samples(
    tmp_path: Path,
) -> None:
    texts = [BASE, RENAMED, BASE.replace("scale=2", "scale=3"), factory.code(1)]
    programs = [factory.program(number, text=text) for number, text in enumerate(texts)]
    smallest = min(programs[:3], key=lambda program: program.program_id)
    made = [factory.sample(program, pair=pair) for program in programs for pair in range(2)]
    summary = export(made, tmp_path / "dataset", settings=DatasetSettings())
    assert (summary.programs_read, sum(summary.programs.values())) == (4, 2)
    assert summary.duplicates_exact + summary.duplicates_near == 2
    assert (summary.samples, summary.samples_of_duplicates) == (4, 4)
    written = "".join(
        (tmp_path / "dataset" / "codeio" / f"{split}.jsonl").read_text() for split in SPLITS
    )
    assert smallest.program_id in written
    for program in programs[:3]:
        assert (program.program_id in written) == (program is smallest)


@settings(max_examples=6)
@given(st.data())
def test_splits_and_duplicates_do_not_depend_on_the_order(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    programs = [
        factory.program(place, text=variant(number, changed=changed))
        for place, (number, changed) in enumerate([(0, 0), (0, 2), (0, 9), (1, 0), (1, 3), (2, 0)])
    ]
    made = [factory.sample(program) for program in programs]
    shuffled = data.draw(st.permutations(made))
    folder = tmp_path_factory.mktemp("order")
    shares = DatasetSettings(splits=(0.5, 0.25, 0.25))
    one = export(made, folder / "one", settings=shares, formats=["codeio"])
    two = export(shuffled, folder / "two", settings=shares, formats=["codeio"])
    assert one == two
    for split in SPLITS:
        name = f"codeio/{split}.parquet"
        assert (folder / "one" / name).read_bytes() == (folder / "two" / name).read_bytes()


@settings(max_examples=30)
@given(st.text(max_size=20), st.integers(0, 5))
def test_a_share_of_nothing_gets_nothing(program_id: str, seed: int) -> None:
    assert split_of(program_id, shares=(0.0, 1.0, 0.0), seed=seed) == "validation"
    assert split_of(program_id, shares=(0.0, 0.0, 2.0), seed=seed) == "test"


def test_shares_are_met() -> None:
    splits = [split_of(str(number), shares=(0.8, 0.1, 0.1), seed=0) for number in range(20_000)]
    assert [round(splits.count(split) / 20_000, 1) for split in SPLITS] == [0.8, 0.1, 0.1]
