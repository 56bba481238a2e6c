"""Keeps files of the categories that are wanted, by a language model's word."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from codeio.language_model import Message, Question
from codeio.normalizer.teacher.conversation import asked_again
from codeio.normalizer.teacher.prompts import CATEGORIES, category_again, category_request
from codeio.runtime.errors import Rejected

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from codeio.language_model import LanguageModel
    from codeio.runtime.settings import Category
    from codeio.v1.records_pb2 import RawFile


class CategoryFilter:
    """Refuses files whose category is not among those to keep (paper, section 2.1)."""

    def __init__(self, model: LanguageModel, *, keep: Collection[Category]) -> None:
        self._model = model
        self._keep = keep

    async def judge(self, raw: RawFile, /) -> Mapping[str, float]:
        """Pass a file of a wanted category, and score 1 for `category:` and its name.

        Raises:
            Rejected: `category:` and what it is, `category:unclear` where the model names none.
            TransientError: the model failed.
        """
        opening = Message("user", category_request(raw.content))
        question = Question((opening,), purpose="category")
        reply = await self._model.ask(question)
        category = read_category(reply.content)
        if category is None:
            told = category_again()
            question = asked_again(question, reply, told=told, purpose=question.purpose)
            reply = await self._model.ask(question)
            category = read_category(reply.content)
        if category is None:
            said = " ".join(reply.content.split())[:200]
            raise Rejected("category:unclear", f"the model named no category but said: {said}")
        if category not in self._keep:
            raise Rejected(f"category:{category}", f"it is {CATEGORIES[category]}")
        return {f"category:{category}": 1.0}


def read_category(reply: str) -> Category | None:
    """Return the category that a reply is the name of; case, spaces and marks are no matter."""
    words = re.findall(r"[a-z]+", reply.lower())
    name = "_".join(words)
    return next((category for category in CATEGORIES if category == name), None)
