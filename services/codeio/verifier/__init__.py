"""From attempts to samples: answer extraction, comparison, re-execution, feedback, claims."""

from codeio.verifier.stage import RationaleCheck, Verifier

__all__ = ["RationaleCheck", "Verifier"]
