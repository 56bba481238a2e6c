"""From attempts to samples: answer extraction, comparison, re-execution, feedback, claims."""

from codeio.verifier.stage import Verifier

__all__ = ["Verifier"]
