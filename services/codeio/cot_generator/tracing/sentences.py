"""Clauses joined to sentences: what a condition leads to stands behind it."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from codeio.cot_generator.tracing.expressions import Said, join
from codeio.cot_generator.tracing.wording import capital

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeio.cot_generator.tracing.clauses import Clause
    from codeio.cot_generator.tracing.story import Act, Item, Story
    from codeio.cot_generator.tracing.wording import Voice

_IN_ONE_SENTENCE = 3


class Sentences:
    """Joins the clauses of a stretch of statements."""

    def __init__(self, story: Story, voice: Voice) -> None:
        self._story = story
        self._voice = voice

    def join(self, clauses: Sequence[tuple[Act, Clause]], *, following: Item | None) -> Said:
        """Return the clauses as sentences; `following` is what comes after them."""
        sentences: list[Said] = []
        lead: Clause | None = None
        run: list[Said] = []

        def end_sentence() -> None:
            nonlocal lead
            if lead is not None or run:
                sentences.append(self._sentence(lead, run))
            lead = None
            run.clear()

        for place, (act, clause) in enumerate(clauses):
            after = clauses[place + 1][0] if place + 1 < len(clauses) else following
            if clause.kind in ("holds", "fails"):
                end_sentence()
                if self._leads_on(act, clause, after):
                    lead = clause
                else:
                    sentences.append(self._stays(act, clause, after))
                continue
            run.append(clause.said)
            in_passing = clause.kind == "set" or (clause.kind == "act" and lead is not None)
            if not in_passing or len(run) >= _IN_ONE_SENTENCE:
                end_sentence()
        end_sentence()
        return join(sentences, " ")

    def _sentence(self, lead: Clause | None, run: Sequence[Said]) -> Said:
        body = join(run, self._voice.pick(", then ", "; ", ", and then ", ", "))
        if lead is None:
            return Said(capital(body.text) + ".", body.facts)
        text, facts = lead.said.text, lead.said.facts + body.facts
        if not run:
            ending = "holds:" if lead.kind == "holds" else "so the other branch applies:"
            comma = "" if lead.kind == "holds" else ","
            return Said(capital(f"{text}{comma} {ending}"), facts)
        if lead.kind == "holds":
            ways = [f"since {text},", f"as {text},", f"{text} holds, so"]
        else:
            ways = [f"{text}, so the other branch applies:", f"{text}; the else branch says"]
        return Said(capital(f"{self._voice.pick(*ways)} {body.text}."), facts)

    def _leads_on(self, act: Act, clause: Clause, after: Item | None) -> bool:
        """Tell whether what follows stands in the branch that the condition chose."""
        node = act.node
        if not isinstance(node, ast.If) or after is None:
            return False
        branch = node.body if clause.kind == "holds" else node.orelse
        if clause.kind == "fails" and len(branch) == 1 and isinstance(branch[0], ast.If):
            return False
        return any(self._story.within(after.node, part) for part in branch)

    def _stays(self, act: Act, clause: Clause, after: Item | None) -> Said:
        """Tell a condition after which nothing of its branch follows."""
        text, facts = clause.said.text, clause.said.facts
        node = act.node
        if clause.kind == "holds" or not isinstance(node, ast.If):
            return Said(capital(f"{text} holds."), facts)
        if node.orelse and after is not None:
            return Said(capital(f"{text}."), facts)
        first = node.body[0]
        if isinstance(first, ast.Return):
            rest = self._voice.pick(", so we do not return here", ", so the function goes on")
        elif isinstance(first, ast.Raise):
            rest = self._voice.pick(", so nothing is raised", ", so the check passes")
        elif isinstance(first, ast.Break | ast.Continue):
            rest = self._voice.pick(", so we stay in this round", ", so we go on")
        else:
            rest = self._voice.pick(", so there is nothing to do", ", so this is skipped", "")
        return Said(capital(f"{text}{rest}."), facts)
