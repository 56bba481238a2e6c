"""What a rationale states about values, checked against the trace of the program."""

from codeio.verifier.statements.check import check_rationale, find_statements, run_of
from codeio.verifier.statements.judging import Statement, Support
from codeio.verifier.statements.run import Run

__all__ = ["Run", "Statement", "Support", "check_rationale", "find_statements", "run_of"]
