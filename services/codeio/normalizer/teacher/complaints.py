"""Tells the teacher in one sentence what is wrong with its program."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codeio.runtime.records import ENTRY_POINT, GENERATOR

if TYPE_CHECKING:
    from codeio.runtime.errors import Rejected

# Exceptions may quote whole inputs.
_LONGEST = 1500

_SENTENCES = {
    "bad_reply": "{detail}.",
    "constant_output": f"`{ENTRY_POINT}` gives the same result for all inputs: {{detail}}. Make "
    f"the inputs of `{GENERATOR}` more varied, or choose logic that depends on them.",
    "generator_failed": f"`{GENERATOR}` fails ({{about}}): {{detail}}.",
    "identity_output": f"`{ENTRY_POINT}` mostly gives one of its arguments back: {{detail}}. "
    "Choose logic whose result has to be worked out.",
    "impure": f"the code must depend on the arguments of `{ENTRY_POINT}` alone, but uses "
    "{about}: {detail}.",
    "input_too_large": f"the inputs of `{GENERATOR}` are too large: {{detail}}.",
    "load_failed": "the code cannot be loaded: {detail}.",
    "missing_package": "the code needs a package that is not at hand: {detail}.",
    "mutates_argument": f"`{ENTRY_POINT}` returns None and leaves its result in an argument; it "
    "must return the result.",
    "no_inputs": f"`{GENERATOR}` gives no dict that JSON can hold.",
    "nondeterministic": "the result of the same call differs between two processes: {detail}. "
    "Order must not come from a set or a hash, and nothing from chance or the clock.",
    "not_json": f"`{ENTRY_POINT}` returns what JSON cannot hold: {{detail}}.",
    "output_too_large": f"the results of `{ENTRY_POINT}` are too large: {{detail}}. Generate "
    "smaller inputs, or return less.",
    "raised": f"`{ENTRY_POINT}` raises {{about}} for inputs that `{GENERATOR}` makes: {{detail}}.",
    "stateful": f"`{ENTRY_POINT}` remembers its former calls: {{detail}}.",
    "timeout": f"a call of `{ENTRY_POINT}` takes too long: {{detail}}. Generate smaller inputs.",
    "too_few_inputs": f"`{GENERATOR}` gives too few different inputs that lead to a result: "
    "{detail}.",
    "trivial": "the code makes no decision and repeats nothing, so there is nothing to reason "
    "about. Choose logic with more to it, if the file has any.",
}


def complaint(refusal: Rejected) -> str:
    """Return what a refusal means for somebody who wrote code and generator."""
    family, _, about = refusal.reason.partition(":")
    detail = refusal.detail[:_LONGEST].rstrip(".")
    template = _SENTENCES.get(family, "the program was refused ({reason}): {detail}.")
    return template.format(reason=refusal.reason, about=about, detail=detail or "no more is known")
