"""From raw files to programs with JSON inputs and outputs."""

from codeio.normalizer.stage import Normalizer

__all__ = ["Normalizer"]
