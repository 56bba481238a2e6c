from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from benchmarks.study.answering import batches, read_answers
from benchmarks.study.arms import Arm
from benchmarks.study.page import write_page
from benchmarks.study.report import Asked, Outcome, evaluate
from benchmarks.study.statistics import difference, share
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.benchmarks.study.material import question

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

QUESTIONS = [question(number) for number in range(120)]


def verdicts(right: Sequence[int], *, unparsable: range = range(0)) -> dict[str, str]:
    return {
        f"q{n}": "CORRECT" if n in right else "UNPARSABLE" if n in unparsable else "WRONG"
        for n in range(120)
    }


def outcome(right: Sequence[int], *, guessed: range) -> Outcome:
    asked = [
        Asked("main", "arm", (verdicts(right),) * 3, Arm.RATIONALE),
        Asked("plain", "untouched", (verdicts(range(3), unparsable=range(3, 63)),)),
        Asked("worse", "untouched", (verdicts(range(1)),)),
        Asked("guess", "trivial", (verdicts(guessed),)),
    ]
    return evaluate(asked, QUESTIONS, resamples=500)


def test_a_gain_beyond_guessing_is_said_to_be_one() -> None:
    [said] = outcome(range(60), guessed=range(20)).conclusions
    assert "goes beyond what trivial baselines reach" in said
    assert "on the 100 questions that none of them gets" in said


def test_a_gain_is_less_than_that_of_guessing_only_if_the_same_questions_show_it() -> None:
    [said] = outcome(range(40), guessed=range(50)).conclusions
    assert "is less than a trivial baseline's" in said
    assert "guess gets 41.7 %, and the arm's difference from that is -8.3 points [-" in said
    # As much on all questions, and nothing where guessing fails, shows neither less nor more.
    [said] = outcome(range(40), guessed=range(40)).conclusions
    assert "is not shown to go beyond what trivial baselines reach" in said


def test_no_gain_and_a_loss_are_said() -> None:
    found = outcome(range(4), guessed=range(2))
    assert found.conclusions == ()
    assert "no gain" in found.undecided[0]
    asked = [
        Asked("main", "arm", (verdicts(range(0)),), Arm.RATIONALE),
        Asked("plain", "untouched", (verdicts(range(60)),)),
        Asked("guess", "trivial", (verdicts(range(2)),)),
    ]
    assert "worse than the untouched" in evaluate(asked, QUESTIONS, resamples=500).conclusions[0]


def test_scores_count_what_they_say() -> None:
    main, plain, *_ = outcome(range(60), guessed=range(20)).scores
    assert main.right.value == 0.5
    assert main.right.low < 0.5 < main.right.high
    assert main.shared == pytest.approx(20 / 60)
    assert main.beyond.value == pytest.approx(40 / 100)
    assert plain.unparsable == 0.5


def test_arms_are_compared_with_the_untouched_model_at_its_best_and_with_the_main_one() -> None:
    asked = [
        Asked("main", "arm", (verdicts(range(60)),) * 2, Arm.RATIONALE),
        Asked("other", "arm", (verdicts(range(30)),) * 2, Arm.SHUFFLED),
        Asked("plain", "untouched", (verdicts(range(6)),)),
        Asked("weak", "untouched", (verdicts(range(1)),)),
        Asked("guess", "trivial", (verdicts(range(2)),)),
    ]
    gains = {e.title: e.gain for e in evaluate(asked, QUESTIONS, resamples=500).comparisons}
    assert gains["main v the untouched model"].value == pytest.approx(54 / 120)
    assert gains["main v other"].value == pytest.approx(30 / 120)
    assert gains["main v other"].low > 0


hits = st.integers(1, 3).flatmap(
    lambda seeds: st.lists(
        st.lists(st.booleans(), min_size=8, max_size=8), min_size=seeds, max_size=seeds
    )
)


@settings(max_examples=50)
@given(hits)
def test_a_share_lies_in_its_interval_and_a_difference_with_itself_is_none(
    rows: list[list[bool]],
) -> None:
    right = np.array(rows, dtype=np.float64)
    found = share(right, list("aabbccdd"), resamples=200)
    assert 0 <= found.low <= found.high <= 1
    assert found.value == pytest.approx(right.mean())
    none = difference(right, right, list("aabbccdd"), resamples=200)
    assert none.low < 0 < none.high == pytest.approx(-none.low)


def test_questions_of_one_program_tell_less_than_those_of_many() -> None:
    right = np.array([[1.0, 0.0] * 50])
    many = share(right, [str(n) for n in range(100)], resamples=2000)
    few = share(right, [str(n % 10) for n in range(100)], resamples=2000)
    assert few.high - few.low > 2 * (many.high - many.low)


def test_seeds_that_disagree_widen_the_interval() -> None:
    programs = [str(n) for n in range(100)]
    alike = np.array([[1.0, 0.0] * 50] * 3)
    apart = np.array([[1.0] * 100, [0.0] * 100, [1.0, 0.0] * 50])
    narrow = share(alike, programs, resamples=2000)
    wide = share(apart, programs, resamples=2000)
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


def test_seeds_vary_by_the_unbiased_variance_between_them() -> None:
    # Like programs, so that only the seeds matter: 0, 1/2 and 1 have a variance of 1/4.
    shares = np.tile([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]], 400)
    programs = [str(number // 2) for number in range(800)]
    found = difference(shares, np.zeros((3, 800)), programs, resamples=5_000)
    drawn = np.random.default_rng(1).choice([0.0, 0.5, 1.0], size=(5_000, 3)).mean(axis=1)
    narrow = np.percentile(drawn, 97.5) - np.percentile(drawn, 2.5)
    assert found.high - found.low == pytest.approx(narrow * (3 / 2) ** 0.5, abs=0.01)


def test_none_right_of_ten_leaves_room() -> None:
    found = share(np.zeros((3, 10)), list("abcdefghij"), resamples=10_000)
    assert (found.value, found.low) == (0, 0)
    assert found.high == pytest.approx(0.308, abs=0.001)  # exactly: Clopper and Pearson's


def test_nothing_asked_is_no_number() -> None:
    assert np.isnan(share(np.zeros((2, 0)), [], resamples=10).value)


def test_the_page_holds_the_figures(tmp_path: Path) -> None:
    found = {
        "plan": {
            "longest_rationale": 200,
            "longest_answer": 64,
            "longest_sample": 448,
            "learning_rate": 1e-4,
            "batch_size": 8,
            "precision": "Float32",
            "token_budget": 110_000,
            "seeds": (0, 1, 2),
            "resamples": 500,
        },
        "data": {
            "packages": ["one==1"],
            "training_examples": 9,
            "training_programs": 4,
            "training_directions": {"output": 8},
        },
        "trained": [
            {
                "title": "main",
                "seed": 0,
                "samples": 12,
                "tokens": 3456,
                "steps": 7,
                "loss": 1.25,
                "seconds": 90.0,
            }
        ],
    }
    page = tmp_path / "study.md"
    result = outcome(range(60), guessed=range(20))
    write_page(found, result, page)
    text = page.read_text()
    assert f"\n\n- {result.conclusions[0]}\n" in text
    undecided = outcome(range(4), guessed=range(2))
    write_page(found, undecided, page)
    assert "- Nothing: no interval leaves zero out.\n" in page.read_text()
    assert (
        f"<summary>Comparisons that show no difference: 1</summary>\n\n- {undecided.undecided[0]}"
        in page.read_text()
    )
    assert "8 predict the output and 0 predict the input" in text
    assert "| main | 0 | 12 | 3,456 | 7 | 1.250 | 1.5 |" in text
    assert "| main | 50.0 [" in text
    assert "<svg" in page.with_suffix(".svg").read_text()
    json.dumps(found | result.to_json())


def test_batches_hold_every_prompt_once_and_stay_small() -> None:
    lengths = {str(n): 50 + 7 * n for n in range(250)}
    made = batches(lengths, most_new=100)
    assert len(made) > 1
    assert sorted(key for batch in made for key in batch) == sorted(lengths)
    for batch in made:
        assert len(batch) * (max(lengths[key] for key in batch) + 100) <= 49_152
    assert batches({}, most_new=5) == []


def test_an_answer_that_was_cut_off_is_asked_for_again(tmp_path: Path) -> None:
    kept = tmp_path / "answers.jsonl"
    kept.write_text('["a", "one\u2028two"]\n["b", "tw')
    assert read_answers(kept) == {"a": "one\u2028two"}
    assert kept.read_text() == '["a", "one\u2028two"]\n'
    assert read_answers(tmp_path / "none") == {}
