"""Keeps from a model what does not fit into its context, which the harness would cut unsaid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from codeio.training_run.outcomes import Reason, RunError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lm_eval.api.instance import Instance
    from lm_eval.api.model import LM


class Fitting:
    """A model that is asked only where prompt and answer fit, and else answers nothing."""

    def __init__(self, lm: LM, *, max_new_tokens: int) -> None:
        """`max_new_tokens` is how long an answer may be."""
        self._lm = lm
        self._max_new_tokens = max_new_tokens
        # Tokens, as the harness has them; models that answer by a script have no limit.
        self._context: int | None = getattr(lm, "max_length", None)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lm, name)

    def check(self) -> None:
        """See that there is room for a question at all.

        Raises:
            RunError: there is none.
        """
        if self._context is not None and self._context <= self._max_new_tokens:
            raise RunError(
                Reason.INVALID_SPEC,
                f"answers of {self._max_new_tokens:,} tokens leave no room for a question in the"
                f" model's context of {self._context:,}; ask for shorter ones by --max-new-tokens"
                " (in a run: evaluation.maxNewTokens)",
            )

    def fits(self, prompt: str) -> bool:
        """Tell whether a prompt leaves the room that an answer may need."""
        if self._context is None:
            return True
        return len(self._lm.tok_encode(prompt)) <= self._context - self._max_new_tokens

    def generate_until(self, requests: Sequence[Instance]) -> list[str]:
        fitting = [request for request in requests if self.fits(request.args[0])]
        said = dict(zip(map(id, fitting), self._generated(fitting), strict=True))
        return [said.get(id(request), "") for request in requests]

    def _generated(self, requests: list[Instance]) -> list[str]:
        return list(self._lm.generate_until(requests)) if requests else []
