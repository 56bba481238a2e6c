"""What a rationale states about values, checked against the trace of the program.

From the text to its statements:

- `lines` finds the lines and rows, `tokens` their tokens, `gathering` the expressions among
  them: the `items`; `sentences` splits lines, and marks what is only supposed;
- `candidates` tells which run a sentence is about, `moments` which stretch of it;
- readers find the statements of a sentence:
  - `chains`: equations; `conditions`: what is said to hold, with `instances` that have values
    put in; `worded`: arithmetic in words;
  - `phrases`: a subject and its value, with `links` for the words between; `sequences`: values
    in turn; `tables`: rows of them; `counts`: how often loops run;
  - `results`: what is returned; `actions`: what the program does otherwise;
  - `foreign`, last: values that occur nowhere in the run, whatever the words around them say;
- `context` notes what the readers find, and `judging` judges it, with `stated` for what is said
  of a value; `corrections` tells what the text takes back.

A `run` is a trace asked for values, `loops` its rounds, and `occurrences` all its values;
`evaluation` works out expressions; `numbers` and `vocabulary` know words. `check` puts it together.

In doubt nothing is contradicted: a false alarm costs a good rationale, and of a false one most
errors are told more than once.
"""

from codeio.verifier.statements.check import check_rationale, find_statements, run_of
from codeio.verifier.statements.judging import Statement, Support
from codeio.verifier.statements.run import Run

__all__ = ["Run", "Statement", "Support", "check_rationale", "find_statements", "run_of"]
