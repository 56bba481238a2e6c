"""What each reason for a rejection means, in a sentence for the reader of the report."""

from __future__ import annotations

MEANINGS = {
    # Collecting files.
    "bad_row": "The row is not what a row of its file must be.",
    "contaminated": "It shares thirteen words in a row with a benchmark that was named.",
    "duplicate": "The same text was collected before.",
    "empty": "There is no code in it.",
    "licence": "Its licence is not among those that are allowed.",
    "not_parseable": "It is neither Python 3 nor Python 2 that can be converted.",
    "not_text": "It is not text that Python could read.",
    "too_large": "It is larger than what is read.",
    "record_too_large": "What a stage made of it is larger than a record may be.",
    "unknown_licence": "No licence was found, and this kind of source must name one.",
    "unreadable": "It could not be opened or read.",
    # Making programs of files.
    "bad_generator": "The input generator that came with the program is not usable.",
    "bad_reply": "The language model's reply, even repaired, did not have the form that was "
    "asked for.",
    "category": "The language model puts its code into a category that is not among those to keep.",
    "completion_rate": "The language model completes one of its functions too seldom or too often.",
    "constant_output": "It gives the same output for every input: there is nothing to predict.",
    "context_too_long": "It is longer than the language model can take.",
    "identity_output": "It gives back what it is given: there is nothing to predict.",
    "impure": "It depends on more than its arguments: files, network, clock, randomness or other "
    "processes.",
    "missing_package": "It imports a package that the sandbox does not have.",
    "nested_too_deeply": "Its expressions are nested too deeply to be read.",
    "no_candidate_runs": "No kind of input that was tried makes it return something.",
    "no_entry_point": "It does not define the function that it names as its entry point.",
    "no_function": "No function, method or script in it takes and gives values.",
    "no_inputs": "There are neither recorded inputs nor a generator that gives any.",
    "not_reached": "Code that was tried before it ended the process.",
    "teacher_declined": "The language model finds nothing in it that makes a program.",
    "teacher_refused": "The language model refused to answer.",
    "teacher_reply_cut": "The language model's reply was cut off before its end.",
    "too_few_pairs": "Fewer pairs remained than the quality bar asks for.",
    "trivial": "It makes no decision and repeats nothing: there is nothing to reason about.",
    "undefined_name": "It uses a name that is defined nowhere.",
    # Running programs.
    "crashed": "A signal ended its process.",
    "exited": "It ended its own process.",
    "generator_failed": "Its input generator fails.",
    "input_too_large": "Every input is larger than the limits of the paper.",
    "load_failed": "It does not load: a syntax error, an import, or an error at top level.",
    "mutates_argument": "It returns nothing and leaves its result in an argument.",
    "nondeterministic": "The same call gives something else in another process, with another hash "
    "seed and clock.",
    "not_json": "It returns what JSON cannot hold.",
    "out_of_memory": "It used up its memory.",
    "output_flood": "It prints more than the limit.",
    "output_too_large": "Its results are larger than the limits of the paper.",
    "raised": "It raises an exception for most inputs.",
    "stateful": "The same call gives something else after other calls: it remembers.",
    "timeout": "It used up its processor time, or came close to it.",
    "too_few_inputs": "Too few distinct inputs give a result.",
    "wall_timeout": "It waited until its time on the clock was up.",
    # Asking a language model.
    "refused_by_endpoint": "The endpoint takes other requests, but not this one.",
    # Writing rationales.
    "damaged_task": "The pair of the task is not JSON.",
    "no_direction": "The task does not say what is to be predicted.",
    "not_reproducible": "The traced run does not give the recorded output again.",
    "unparsable_program": "The program does not parse, so its trace cannot be told.",
}


def meaning(reason: str) -> str:
    """Return what a reason, up to its colon, means; its own words where none are recorded."""
    family = reason.partition(":")[0]
    known = MEANINGS.get(family)
    return known or family.replace("_", " ").replace("-", " ").capitalize() + "."
