"""Files are kept by the category that the model puts them into."""

from __future__ import annotations

from typing import get_args

import pytest

from codeio.normalizer.teacher import CategoryFilter
from codeio.normalizer.teacher.category import read_category
from codeio.normalizer.teacher.prompts import CATEGORIES
from codeio.runtime.errors import Rejected
from codeio.runtime.settings import Category
from tests.normalizer.teacher.scripted import Scripted, raw

FILE = raw("print(1)\n")


def test_every_category_has_its_line() -> None:
    assert tuple(CATEGORIES) == get_args(Category)


@pytest.mark.parametrize(
    ("reply", "category"),
    [
        ("logic_puzzles", "logic_puzzles"),
        (" Logic Puzzles.\n", "logic_puzzles"),
        ("**logic-puzzles**", "logic_puzzles"),
        ("`SYSTEM_MODELLING`", "system_modelling"),
        ("", None),
        ("puzzles", None),
        ("It is mathematics", None),
        ("mathematics, algorithms", None),
    ],
)
def test_one_name_is_read_however_it_is_written(reply: str, category: str | None) -> None:
    assert read_category(reply) == category


async def test_a_wanted_category_passes() -> None:
    model = Scripted(["Mathematics"])
    found = await CategoryFilter(model, keep=("mathematics",)).judge(FILE)
    assert found == {"category:mathematics": 1.0}
    [question] = model.asked
    assert question.purpose == "category"
    assert "print(1)" in question.messages[0].content
    assert "- non_reasoning: " in question.messages[0].content


async def test_another_one_is_refused_by_its_name() -> None:
    with pytest.raises(Rejected) as refusal:
        await CategoryFilter(Scripted(["algorithms"]), keep=("mathematics",)).judge(FILE)
    assert refusal.value.reason == "category:algorithms"


@pytest.mark.parametrize(("first", "messages"), [("It is about numbers.", 3), ("", 1)])
async def test_what_is_no_name_is_asked_once_more(first: str, messages: int) -> None:
    model = Scripted([first, "mathematics"])
    await CategoryFilter(model, keep=("mathematics",)).judge(FILE)
    assert len(model.asked[1].messages) == messages
    assert model.asked[0] != model.asked[1]


async def test_and_then_refused() -> None:
    model = Scripted(["hm", "well"])
    with pytest.raises(Rejected) as refusal:
        await CategoryFilter(model, keep=("mathematics",)).judge(FILE)
    assert (refusal.value.reason, len(model.asked)) == ("category:unclear", 2)
    assert "well" in refusal.value.detail
