from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
import yaml
from benchmarks.study.arms import (
    Arm,
    Cell,
    cells_of,
    manifest,
    training_chats,
    with_answers_shuffled,
)
from benchmarks.study.plan import DEMO, STUDY, Direction
from hypothesis import given, settings
from hypothesis import strategies as st

from codeio.training_run.manifest import read_manifest
from codeio.training_run.places import Places
from tests.benchmarks.study.material import example

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.study.questions import Chat

POOL = [example(number, direction=list(Direction)[number % 3 == 0]) for number in range(40)]


def letters(chat: Chat) -> int:
    return sum(len(message["content"]) for message in chat)


def questions(chats: list[Chat]) -> list[str]:
    return [chat[0]["content"].partition("`main_solution`")[2].partition("?")[0] for chat in chats]


def samples(arm: Arm, seed: int = 0, budget: int = 4000) -> list[Chat]:
    return training_chats(Cell(arm, seed), POOL, budget=budget, count=letters)


@settings(max_examples=30)
@given(st.sampled_from([Arm.RATIONALE, Arm.ANSWER_TOKENS]), st.integers(500, 30_000))
def test_samples_fill_the_budget_and_keep_it(arm: Arm, budget: int) -> None:
    used = sum(map(letters, samples(arm, budget=budget)))
    longest = max(letters(chat) for chat in samples(arm, budget=30_000))
    assert budget - longest < used <= budget


def test_arms_at_equal_examples_are_asked_the_same_questions() -> None:
    main = questions(samples(Arm.RATIONALE))
    assert questions(samples(Arm.SHUFFLED)) == main
    assert questions(samples(Arm.ANSWER_EXAMPLES)) == main
    assert questions(samples(Arm.ANSWER_TOKENS))[: len(main)] == main
    assert len(samples(Arm.ANSWER_TOKENS)) > len(main)


def test_the_answer_alone_has_no_rationale_and_the_others_have_their_own() -> None:
    for chat in samples(Arm.ANSWER_EXAMPLES):
        assert "rationale" not in chat[1]["content"]
        assert "step by step" not in chat[0]["content"]
    pairs = zip(samples(Arm.RATIONALE), samples(Arm.SHUFFLED), strict=True)
    for (_, told), (_, shuffled) in pairs:
        rationale, _, answer = told["content"].partition("\n\n")
        assert shuffled["content"].startswith(rationale)
        assert shuffled["content"] != f"{rationale}\n\n{answer}"


def test_a_small_pool_is_gone_through_again() -> None:
    asked = Counter(questions(samples(Arm.RATIONALE, budget=20_000)))
    assert len(asked) == len(POOL)
    assert max(asked.values()) - min(asked.values()) <= 1


def test_seeds_draw_other_samples_and_the_same_seed_the_same() -> None:
    assert samples(Arm.RATIONALE, seed=1) == samples(Arm.RATIONALE, seed=1)
    assert samples(Arm.RATIONALE, seed=1) != samples(Arm.RATIONALE, seed=2)


@given(st.lists(st.sampled_from(Direction), min_size=2, max_size=30), st.integers())
def test_shuffled_answers_stay_in_their_direction(directions: list[Direction], seed: int) -> None:
    before = [example(place, direction=each) for place, each in enumerate(directions)]
    after = with_answers_shuffled(before, seed=seed)
    for direction in Direction:
        mine = [place for place, each in enumerate(directions) if each is direction]
        answers = [after[place].answer_json for place in mine]
        assert sorted(answers) == sorted(before[place].answer_json for place in mine)
        if len(mine) > 1:
            assert all(after[place].answer_json != before[place].answer_json for place in mine)
    assert [e.rationale for e in after] == [e.rationale for e in before]


def test_there_must_be_something_to_learn() -> None:
    with pytest.raises(ValueError, match="no example"):
        training_chats(Cell(Arm.RATIONALE, 0), [], budget=10, count=letters)


def test_a_cell_is_a_training_run(tmp_path: Path) -> None:
    for cell in cells_of(STUDY):
        asked = manifest(
            cell, STUDY, model=tmp_path / "m", rows=tmp_path / "rows.jsonl", runs=tmp_path
        )
        run = read_manifest(yaml.safe_dump(asked), source="cell")
        assert run.spec.seed == cell.seed
        assert Places(run=run).last_model == tmp_path / cell.name / "models" / "reasoning"


def test_the_demonstration_is_a_cell_of_the_study() -> None:
    assert set(cells_of(DEMO)) == {Cell(Arm.RATIONALE, 0)} < set(cells_of(STUDY))
    assert len(cells_of(STUDY)) == 4 * 3
    assert DEMO.token_budget == STUDY.token_budget
    assert all(count <= STUDY.questions[part] for part, count in DEMO.questions.items())
