"""From sources to raw files: reading, licence and duplicate filters, decontamination."""

from codeio.collect.collector import Collector

__all__ = ["Collector"]
