"""Each suite on ten local rows, with answers that are right, wrong and of no form."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from codeio.evaluation.harness import ask
from codeio.evaluation.suites import all_suites, chosen_suites
from codeio.training_run.outcomes import Reason, RunError
from codeio.training_run.suites import CATEGORIES, SUITES
from tests.evaluation.conftest import Scripted, ten_questions

if TYPE_CHECKING:
    from collections.abc import Callable

RIGHT, WRONG, FORMLESS = range(6), range(6, 8), range(8, 10)


def final_number(answer: str) -> str:
    return answer.rpartition("#### ")[2]


def boxed(row: dict[str, Any]) -> str:
    return row["solution"][row["solution"].index("\\boxed") :].rstrip(".")


def drop_answer(row: dict[str, Any]) -> str:
    answer = row["answer"]
    return answer["number"] or ", ".join(answer["spans"])


# By suite: words of a prompt that belong to one row, a right answer, a wrong one, one of no form.
ANSWERS: dict[str, tuple[Callable[[Any], str], Callable[[Any], str], str, str]] = {
    "bbh": (
        lambda row: row["input"],
        lambda row: f"Step by step. So the answer is {row['target']}.",
        "So the answer is 77. Not True but False: no, True or 4.",
        "I do not know.",
    ),
    "zebralogic": (
        lambda row: row["puzzle"],
        lambda row: f"So:\n```json\n{solution_of(row)}\n```",
        '{"solution": {"House 1": {"Name": "Nobody", "Favourite": "x"}}}',
        "House 1 has a person in it, and so has House 2.",
    ),
    "korbench": (
        lambda row: row["question"],
        lambda row: f"By the rule, first [[no]], then {row['answer']}.",
        "So it is [[quite wrong]].",
        "The answer stands in no brackets: B",
    ),
    "gsm8k": (
        lambda row: row["question"],
        lambda row: f"First 2, then 5. The answer is {final_number(row['answer'])}.",
        "The answer is 123456.",
        "It cannot be told.",
    ),
    "math": (
        lambda row: row["problem"],
        lambda row: f"Thus ${boxed(row)}$.",
        "Thus $\\boxed{123}$.",
        "Thus nothing.",
    ),
    "drop": (
        lambda row: row["question"],
        lambda row: f"In all 3.5, it says. So [[no]], or rather [[{drop_answer(row)}]].",
        "So it is [[eleven elephants]].",
        "?",
    ),
    "mmlu-stem": (
        lambda row: row["question"],
        lambda row: f"The answer is ({'ABCD'[row['answer']]}).",
        "The answer is (B).",
        "Hard to say",
    ),
}


def solution_of(row: dict[str, Any]) -> str:
    _, *names = row["solution"]["header"]
    houses = {
        f"House {line[0]}": dict(zip(names, (cell.upper() for cell in line[1:]), strict=True))
        for line in row["solution"]["rows"]
    }
    return json.dumps({"reasoning": "a {brace}", "solution": houses})


@pytest.mark.parametrize("name", ANSWERS)
def test_ten_rows(name: str) -> None:
    suite, questions = ten_questions(name)
    words, right, wrong, formless = ANSWERS[name]
    script = {
        words(question.row): (
            right(question.row) if number in RIGHT else wrong if number in WRONG else formless
        )
        for number, question in enumerate(questions)
    }
    lm = Scripted(script)

    answers = ask(lm, suite, questions, max_new_tokens=33, seed=0)

    assert [answer.score for answer in answers] == [1.0] * 6 + [0.0] * 4
    assert [answer.id for answer in answers] == [question.id for question in questions]
    assert len({question.id for question in questions}) == 10
    assert lm.limits == {33}


KORBENCH = [
    # The kind, the rule, the question's number, the right answer, what is said, and its score.
    ("operation", "1", "6", "650or5or125", "[[5 or 125 or 650]]", 1),
    ("operation", "2", "15", "4or-12", r"[[-12 \text{or} 4]]", 1),
    ("operation", "2", "15", "4or-12", "[[-4 or 12]]", 0),
    ("operation", "1", "5", "1.5or2", "[[15 or 2]]", 0),
    ("operation", "3", "26", "13/3", "[[26/6]]", 0),
    ("operation", "2", "18", r"-6+\sqrt{22}or-6-\sqrt{22}", r"[[-6-\sqrt{22}or\sqrt{22}-6]]", 1),
    ("operation", "2", "18", r"-6+\sqrt{22}or-6-\sqrt{22}", r"[[6-\sqrt{22}or\sqrt{22}-6]]", 0),
    ("operation", "8", "73", r"2\sqrt{11}", r"[[x = \sqrt{44}]]", 1),
    ("operation", "8", "73", r"2\sqrt{11}", r"so it is $\boxed{2\sqrt{11}}$, in {0, 1}", 1),
    ("operation", "8", "5", r"\frac{\sqrt{2}}{3}", r"$\boxed{\frac{\sqrt{2}}{3}}$", 1),
    ("operation", "2", "15", "4or-12", r"\boxed{-12 \text{ or } 4}", 1),
    ("operation", "1", "5", "2", r"$\boxed{1}$, no, $\boxed{\text{2}}$, then \boxed{3", 1),
    ("operation", "1", "5", "2", r"\boxed{\boxed{2}}", 1),
    ("operation", "13", "121", "5+5i", "[[5i+5]]", 1),
    ("operation", "15", "147", "x+2", "[[2+x]]", 1),
    ("operation", "15", "148", "x+2", "[[2+x]]", 0),
    ("operation", "15", "149", "x+2", "[[2+x]]", 1),
    ("operation", "18", "171", "{1,2,4,5}", "[[{5, 4, 2, 1}]]", 1),
    ("operation", "18", "171", "{1,2,4,5}", r"$\boxed{\{5, 4, 2, 1\}}$", 1),
    ("operation", "18", "179", "{x∣x≤-1 or x≥1}", "[[{x | x ≥ 1 or x ≤ -1}]]", 1),
    ("operation", "18", "179", "{x∣x≤-1 or x≥1}", "[[{x | x ≥ 1 or x ≤ 1}]]", 0),
    ("operation", "24", "231", "((1,2),(3,4))", "[[ ((1, 2), (3, 4)) ]]", 1),
    ("operation", "24", "231", "((1,2),(3,4))", "[[((1,-2),(3,4))]]", 0),
    ("logic", "5", "42", "+,+,+];[+,-,-];[-,-,-", "[[-,-,-];[+, +, +];[+,-,-]]", 1),
    ("logic", "5", "42", "+,+,+];[+,-,-];[-,-,-", "[[-,-,-];[+,+,+];[-,+,-]]", 0),
    ("logic", "2", "14", "A];[B", "[[A]; [B]]", 1),
    ("logic", "2", "14", "A];[B", "[[B];[A]]", 0),
    ("puzzle", "5", "41", "a b,c", "[[c,a b]]", 1),
    ("puzzle", "9", "81", "7+3×2=13", "[[7 + 3 × 2 = 13]]", 1),
    ("puzzle", "9", "81", "7+3×2=13", "[[3 × 2 + 7 = 13]]", 0),
    ("puzzle", "10", "91", "8*3*1*1=24", "[[3 × 8 / (1 * 1) = 24]]", 1),
    ("puzzle", "10", "91", "8*3*1*1=24", "[[8 * 3 = 24]]", 0),
    ("puzzle", "10", "91", "8*3*1*1=24", "[[8 * 3 * 1 + 1 = 24]]", 0),
    ("puzzle", "18", "171", "(1,2),(3,4)", "[[(1, 2) (3, 4)]]", 1),
    ("cipher", "1", "1", "DBC", "[[D B C]]", 1),
]


@pytest.mark.parametrize(("kind", "rule", "number", "truth", "said", "score"), KORBENCH)
def test_korbench_compares_as_its_authors(  # noqa: PLR0917
    kind: str, rule: str, number: str, truth: str, said: str, score: float
) -> None:
    suite, (question, *_) = ten_questions("korbench")
    changes = {"category": kind, "rule_id": rule, "idx": number, "answer": f"[[{truth}]]"}
    question = replace(question, row=question.row | changes)
    (answer,) = ask(Scripted(lambda _: said), suite, [question], max_new_tokens=8, seed=0)
    assert answer.score == score


@pytest.mark.parametrize(
    ("spans", "said", "score"),
    [
        (["3.5"], "It took 3 days. Half of 7 is [[3.5]].", 1.0),
        (["3.5"], "It is [[3]].", 0.0),
        (["3.5"], "It is 3.5, which stands in no brackets.", 0.0),
        (["North Wales", "Kent"], "Both: [[Kent; the north Wales]]", 1.0),
        (["North Wales", "Kent"], "One: [[Wales]]", 0.33),
        (["Tom Brady"], r"He was $\boxed{\text{Tom Brady}}$.", 1.0),
    ],
)
def test_drop_takes_the_marked_answer_whole(spans: list[str], said: str, score: float) -> None:
    suite, (question, *_) = ten_questions("drop")
    row = question.row
    right = row["answer"] | {"number": "", "spans": spans}
    row = row | {"answer": right, "validated_answers": {"number": [], "date": [], "spans": []}}
    (answer,) = ask(
        Scripted(lambda _: said), suite, [replace(question, row=row)], max_new_tokens=8, seed=0
    )
    assert answer.score == pytest.approx(score)
    assert answer.target == "; ".join(spans)


def test_winogrande_compares_two_sentences() -> None:
    suite, questions = ten_questions("winogrande")
    script = {}
    for number, question in enumerate(questions):
        row = question.row
        before = row["sentence"].partition("_")[0]
        wanted = row["answer"] if number < 6 else "21"[int(row["answer"]) - 1]
        script[before + row[f"option{wanted}"]] = "likely"

    answers = ask(Scripted(script), suite, questions, max_new_tokens=8, seed=0)

    assert [answer.score for answer in answers] == [1.0] * 6 + [0.0] * 4


def test_gpqa_has_its_choices_in_one_order_until_the_end() -> None:
    suite, questions = ten_questions("gpqa")

    def letter_of(prompt: str, text: str) -> str:
        found = re.search(rf"\(([A-D])\) {re.escape(text)}", prompt)
        assert found
        return found[1]

    def answer(prompt: str) -> str:
        row = next(each.row for each in questions if each.row["Question"] in prompt)
        number = [each.row for each in questions].index(row)
        if number in FORMLESS:
            return "None of these fits."
        name = "Correct Answer" if number in RIGHT else "Incorrect Answer 1"
        return f"The answer is ({letter_of(prompt, row[name])})."

    first = ask(lm := Scripted(answer), suite, questions, max_new_tokens=8, seed=0)
    again = ask(other := Scripted(answer), suite, questions, max_new_tokens=8, seed=0)

    assert [each.score for each in first] == [1.0] * 6 + [0.0] * 4
    assert first == again
    assert lm.prompts == other.prompts
    assert (
        len({letter_of(prompt, row) for prompt in lm.prompts for row in rights(questions, prompt)})
        > 1
    )


def rights(questions: list[Any], prompt: str) -> list[str]:
    return [each.row["Correct Answer"] for each in questions if each.row["Question"] in prompt]


LIVEBENCH = {
    # What was said, and its score, by the task.
    "web_of_lies_v2": [
        ("so **yes, no, yes**", 1),
        ("<solution>yes, yes, no</solution>", 0),
        (r"$\boxed{\text{yes}, \text{no}, \text{yes}}$", 1),
    ],
    "zebra_puzzle": [
        ("<solution>Gil, Cat</solution>", 1),
        ("<solution>gil, dog</solution>", 0.25),
        ("Gil and cat", 0),
    ],
    "spatial": [
        ("it gives **two**", 1),
        ("it gives **3**", 0),
        (r"the **3** of them: \boxed{\text{two}}", 1),
    ],
    "amc_made": [("thus BBBBB", 1), ("thus CCCCC", 0), ("\\boxed{B}", 1), ("Beautiful", 0)],
    "aime_made": [
        ("so \\boxed{30}", 1),
        ("<solution>030</solution>", 1),
        ("it is 31", 0),
        ("thus 030 it is, by the 2 of them", 1),
        ("from 030 and very much else that takes up a lot of room, 31", 0),
    ],
    "amps_hard_made": [("$\\boxed{x + x}$", 1), ("$\\boxed{3x}$", 0), ("nothing", 0)],
    "imo_made": [("Answer: 1,3,2", 1), ("Answer: 1,2,3", 1 / 3), ("none", 0)],
    "cta": [("city name", 1), ("country name", 0)],
    "tablejoin": [("{'a': 'x', 'b': 'y'}", 1), ("{'a': 'x', 'b': 'z'}", 0.5), ("a is x", 0)],
    "connections": [
        ("**oak, pine, ash, elm, pink, red, green, blue**", 1),
        ("**oak, red, ash, elm, pink, pine, green, blue**", 0),
        ("trees and colours", 0),
    ],
}


@pytest.mark.parametrize("task", LIVEBENCH)
def test_livebench(task: str) -> None:
    suite, questions = ten_questions("livebench")
    (question,) = (each for each in questions if each.row["subtask"] == task)
    for said, score in LIVEBENCH[task]:
        lm = Scripted(lambda _, said=said: said)
        (answer,) = ask(lm, suite, [question], max_new_tokens=8, seed=0)
        assert answer.score == pytest.approx(score), said
        assert lm.prompts == question.row["turns"]


@pytest.mark.parametrize(
    ("said", "score"),
    [
        (r"So the answer is $\frac{1}{2}$.", 1),
        (r"$\frac{1}{2}$ is a share, but the answer to what was asked is 2.", 0),
        ("AAAAA", 0),
        ("BBBBB", 1),
        ("Neither of them.", 0),
    ],
)
def test_livebench_takes_the_value_of_a_choice_at_the_end(said: str, score: float) -> None:
    suite, questions = ten_questions("livebench")
    (question,) = (each for each in questions if each.row["subtask"] == "amc_made")
    choices = r"$\textbf{(A)}~2\qquad\textbf{(B)}~\frac{1}{2}\qquad\textbf{(C)}~3$"
    question = replace(question, row=question.row | {"turns": [f"What is 1/2? {choices}"]})
    (answer,) = ask(Scripted(lambda _: said), suite, [question], max_new_tokens=8, seed=0)
    assert answer.score == score


def test_livebench_goes_by_ten_rows_at_once() -> None:
    suite, questions = ten_questions("livebench")
    script = {
        each.row["turns"][0]: LIVEBENCH[each.row["subtask"]][0 if number in RIGHT else 1][0]
        for number, each in enumerate(questions)
    }
    answers = ask(Scripted(script), suite, questions, max_new_tokens=8, seed=0)
    assert [answer.score for answer in answers][:6] == [1.0] * 6
    assert all(answer.score < 1 for answer in answers[6:])


def test_names_may_be_categories() -> None:
    names = [suite.name for suite in chosen_suites(["livebench", "logic", "gsm8k"])]
    assert names == ["zebralogic", "korbench", "gsm8k", "livebench"]


def test_a_run_may_name_the_suites_that_there_are() -> None:
    suites = all_suites()
    assert tuple(suites) == SUITES
    assert tuple(dict.fromkeys(suite.category for suite in suites.values())) == CATEGORIES


@pytest.mark.parametrize(
    ("names", "files", "hint"),
    [(["gsm8"], [], "did you mean gsm8k"), (["gsm8k"], ["mth"], "math"), (["?"], [], "choose")],
)
def test_an_unknown_suite_names_near_ones(names: list[str], files: list[str], hint: str) -> None:
    with pytest.raises(RunError, match=hint) as error:
        chosen_suites(names, files=files)
    assert error.value.reason is Reason.UNKNOWN_SUITE
