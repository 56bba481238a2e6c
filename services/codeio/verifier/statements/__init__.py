"""What a rationale states about values, checked against the trace of the program.

From the text to its statements:

- `lines` finds the lines and rows, `tokens` their tokens, `gathering` the expressions among
  them: the `items`; `sentences` splits lines, and marks what is only supposed;
- `candidates` tells which run a sentence is about, `moments` which stretch of it;
- readers find the statements of a sentence:
  - `chains`: equations; `conditions`: what is said to hold; `sequences`, `ranges`: values in turn;
  - `phrases`: a subject and its value in words, which `links` leads to; `membership`: what is in
    what; `worded`: arithmetic in words;
  - `counts`: how often loops run; `things`: how many there are of a kind; `unnamed`: values that
    no subject is named for;
  - `actions`: what the program does; `results`, `announced`: what it returns; `tables`: rows
    of values;
- `context` notes what the readers find, and `judging` judges it, with `stated` for what is said
  of a value; `instances` compares the program's expressions with values put in; `corrections`
  tells what the text takes back.

A `run` is a trace asked for values, `loops` its rounds, and `occurrences` all its numbers;
`evaluation` works out expressions; `numbers` and `vocabulary` know words. `check` puts it together.
"""

from codeio.verifier.statements.check import check_rationale, find_statements, run_of
from codeio.verifier.statements.judging import Statement, Support
from codeio.verifier.statements.run import Run

__all__ = ["Run", "Statement", "Support", "check_rationale", "find_statements", "run_of"]
