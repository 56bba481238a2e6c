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
        lead: Said | None = None
        run: list[Said] = []
        for place, (act, clause) in enumerate(clauses):
            after = clauses[place + 1][0] if place + 1 < len(clauses) else following
            if clause.kind == "set" or (clause.kind == "act" and lead is not None):
                run.append(clause.said)
                if len(run) >= _IN_ONE_SENTENCE:
                    sentences.append(self._sentence(lead, run))
                    lead, run = None, []
                continue
            if clause.kind in ("holds", "fails"):
                if run or lead is not None:
                    sentences.append(self._sentence(lead, run))
                    lead, run = None, []
                if self._leads_on(act, clause, after):
                    lead = self._lead(clause)
                    if place + 1 == len(clauses):
                        text = lead.text.removesuffix(" so").removesuffix(",") + ":"
                        sentences.append(Said(capital(text), lead.facts))
                        lead = None
                else:
                    sentences.append(self._stays(act, clause, after))
                continue
            run.append(clause.said)
            sentences.append(self._sentence(lead, run))
            lead, run = None, []
        if run or lead is not None:
            sentences.append(self._sentence(lead, run))
        return join(sentences, " ")

    def _sentence(self, lead: Said | None, run: Sequence[Said]) -> Said:
        body = join(run, self._voice.pick(", then ", "; ", ", and then ", ", "))
        whole = body if lead is None else join([lead, body], " ")
        return Said(capital(whole.text) + ".", whole.facts)

    def _leads_on(self, act: Act, clause: Clause, after: Item | None) -> bool:
        """Tell whether what follows stands in the branch that the condition chose."""
        node = act.node
        if not isinstance(node, ast.If) or after is None:
            return False
        branch = node.body if clause.kind == "holds" else node.orelse
        if clause.kind == "fails" and len(branch) == 1 and isinstance(branch[0], ast.If):
            return False
        return any(self._story.within(after.node, part) for part in branch)

    def _lead(self, clause: Clause) -> Said:
        text, facts = clause.said.text, clause.said.facts
        if clause.kind == "holds":
            ways = [f"since {text},", f"as {text},", f"{text} holds, so"]
        else:
            ways = [f"{text}, so the other branch applies:", f"{text}; the else branch says"]
        return Said(self._voice.pick(*ways), facts)

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
            rest = self._voice.pick("so we do not return here", "so the function goes on")
        elif isinstance(first, ast.Raise):
            rest = self._voice.pick("so nothing is raised", "so the check passes")
        elif isinstance(first, ast.Break | ast.Continue):
            rest = self._voice.pick("so we stay in this round", "so we go on")
        else:
            rest = self._voice.pick("so there is nothing to do", "so this is skipped", "")
        return Said(capital(f"{text}{', ' if rest else ''}{rest}."), facts)
