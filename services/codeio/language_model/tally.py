"""What asking a language model took, counted for the report and the progress line."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from codeio.runtime.metrics import MODEL_COST, MODEL_QUESTIONS, MODEL_TOKENS

if TYPE_CHECKING:
    from codeio.language_model.chat import Question, Reply


@dataclass(slots=True)
class Tally:
    """Counts of one run, all its interruptions included."""

    answered: int = 0
    """Questions that an endpoint answered."""
    stored: int = 0
    """Questions whose answers were in the response store."""
    turned_away: int = 0
    """Calls that an endpoint had no room for; they were made again."""
    failed: int = 0
    """Calls that failed, and were made again or given up."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float = 0.0
    """Of the questions that were answered."""
    saved_usd: float = 0.0
    """What the stored answers had cost."""
    finish_reasons: Counter[str] = field(default_factory=Counter)
    purposes: Counter[str] = field(default_factory=Counter)

    def count(self, question: Question, reply: Reply, *, stored: bool) -> None:
        """Count an answer that is about to be used."""
        self.finish_reasons[reply.finish_reason or "none"] += 1
        self.purposes[question.purpose] += 1
        if stored:
            self.stored += 1
            MODEL_QUESTIONS.labels("stored").inc()
            self.saved_usd += reply.cost_usd
        else:
            self.answered += 1
            self.prompt_tokens += reply.prompt_tokens
            self.completion_tokens += reply.completion_tokens
            self.cost_usd += reply.cost_usd
            MODEL_QUESTIONS.labels("answered").inc()
            MODEL_TOKENS.labels("prompt").inc(reply.prompt_tokens)
            MODEL_TOKENS.labels("completion").inc(reply.completion_tokens)
            MODEL_COST.inc(reply.cost_usd)

    def to_json(self) -> dict[str, Any]:
        values = {name: getattr(self, name) for name in self.__slots__}
        return {
            name: dict(value.most_common()) if isinstance(value, Counter) else value
            for name, value in values.items()
        }

    def to_metadata(self) -> str:
        return json.dumps(self.to_json())

    def restore(self, text: str) -> None:
        """Go on counting from what `to_metadata` gave."""
        for name, value in json.loads(text).items():
            setattr(self, name, Counter(value) if isinstance(value, dict) else value)
