from __future__ import annotations

from dataclasses import replace

from codeio.evaluation.contamination import contamination
from codeio.evaluation.rows import Question
from codeio.evaluation.suites import all_suites, held_out_suites
from tests.evaluation.conftest import ten_questions

SUITES = all_suites()


def numbered(suite: str, texts: list[str]) -> list[Question]:
    part = SUITES[suite].parts[0]
    return [
        Question(f"q{number}", part, {"question": text, "answer": "#### 1"})
        for number, text in enumerate(texts)
    ]


LONG = "a farmer sells {n} eggs on monday and twice as many on each day that follows until sunday"


def test_shared_text_is_found_in_any_string_of_a_row() -> None:
    questions = numbered("gsm8k", [LONG.format(n=number) for number in (3, 12)] + ["too short"])
    rows = [
        ("clean", {"messages": [{"role": "user", "content": "nothing of the kind is in here"}]}),
        ("bad", {"messages": [{"content": "It is said: " + LONG.format(n=3).upper() + "!"}]}),
        ("later", {"prompt": LONG.format(n=3)}),
    ]
    found = contamination({"gsm8k": SUITES["gsm8k"]}, {"gsm8k": questions}, rows)
    suite = found["suites"]["gsm8k"]
    # The second question has the end in common with the row.
    assert (found["training_rows"], suite["questions"], suite["shared"]) == (3, 3, 2)
    assert suite["too_short"] == 1
    assert suite["examples"][0]["question"] == "q0"
    assert suite["examples"][0]["row"] == "bad"
    assert "sells 3 eggs" in suite["examples"][0]["text"]


def test_twelve_words_are_too_few() -> None:
    words = LONG.format(n=3).split()
    questions = numbered("gsm8k", [" ".join(words)])
    row = {"text": " ".join(words[:12]) + " but " + " ".join(words[-12:])}
    found = contamination({"gsm8k": SUITES["gsm8k"]}, {"gsm8k": questions}, [("r", row)])
    assert found["suites"]["gsm8k"]["shared"] == 0


def test_the_wording_of_a_suite_does_not_count() -> None:
    wording = "answer in double brackets after you have thought about each of the steps in turn"
    texts = [f"{wording} number {number}" for number in range(20)]
    questions = numbered("gsm8k", texts)
    found = contamination({"gsm8k": SUITES["gsm8k"]}, {"gsm8k": questions}, [("r", {"t": wording})])
    assert found["suites"]["gsm8k"]["shared"] == 0


def test_questions_of_one_program_share_it_as_one() -> None:
    suite = held_out_suites()["held-out-output"]
    code = "def main_solution(values):\n    return " + " + ".join(f"values[{n}]" for n in range(9))
    questions = [
        Question(f"q{number}", suite.parts[0], {"code": code, "program_id": "one"})
        for number in range(8)
    ]
    found = contamination({suite.name: suite}, {suite.name: questions}, [("r", {"text": code})])
    assert found["suites"][suite.name]["shared"] == 8
    # In programs of their own the same words are wording.
    apart = [
        replace(each, row=each.row | {"program_id": str(number)})
        for number, each in enumerate(questions)
    ]
    found = contamination({suite.name: suite}, {suite.name: apart}, [("r", {"text": code})])
    assert found["suites"][suite.name]["shared"] == 0


def test_every_suite_has_words_of_its_own() -> None:
    asked = {name: ten_questions(name)[1] for name in SUITES}
    rows = [(question.id, question.row) for each in asked.values() for question in each]
    found = contamination(SUITES, asked, rows)["suites"]
    for name, each in found.items():
        long = each["questions"] - each["too_short"]
        # Of two problems with several inputs each, and of puzzles, most words are shared.
        assert each["shared"] == long, name
