"""What each reason for a rejection means, in a sentence for the reader of the report."""

from __future__ import annotations

_MEANINGS = {
    # collect
    "duplicate": "The same text was collected before.",
    "contaminated": "It shares thirteen words in a row with a benchmark that was named.",
    "empty": "There is no code in it.",
    "licence": "Its licence is not among those that are allowed.",
    "unknown_licence": "No licence was found, and this kind of source must name one.",
    "not_parseable": "It is neither Python 3 nor Python 2 that can be converted.",
    "not_text": "It is not text that Python could read.",
    "unreadable": "The file could not be opened or read.",
    "bad_row": "The row is not what a row of its file must be.",
    # sizes
    "too_large": "It is larger than the limit: a file, an input or an output.",
    # execution
    "cpu_timeout": "A call used up its processor time.",
    "wall_timeout": "A call waited until its time on the clock was up.",
    "memory": "A call used up its memory.",
    "output_flood": "It printed more than the limit.",
    "exited": "It ended its own process.",
    "crashed": "A signal ended its process.",
    "load_failed": "The program does not load: a syntax error, an import or an error at top level.",
    "missing_package": "It imports a package that the sandbox does not have.",
    "raised": "It raised an exception for too many inputs.",
    "not_json": "Its result, or an argument, is nothing that JSON can hold.",
    "nondeterministic": "The same call gave something else in another process, with another hash "
    "seed and clock.",
    "stateful": "The same call gave something else after the program's other calls.",
    "mutates": "It changes its argument, and the result depends on it.",
    "impure": "It touches files, the network, the clock, randomness or other processes.",
    "too_few_pairs": "Fewer reproducible pairs remained than the quality bar asks for.",
    "constant_output": "It gives the same output for every input, so there is nothing to predict.",
    "too_few_outputs": "Too few outputs differ, so there is nothing to predict.",
    # verification
    "unparsable": "No answer could be read from the response.",
}


def meaning(reason: str) -> str:
    """Return what a reason, up to its colon, means; its own words where none are recorded."""
    family = reason.partition(":")[0]
    known = _MEANINGS.get(family)
    return known or family.replace("_", " ").replace("-", " ").capitalize() + "."
