"""From samples to a data set: snapshot, duplicates, splits, formats and the data card."""

from codeio.dataset.export import export
from codeio.dataset.summary import DatasetSummary, Provenance

__all__ = ["DatasetSummary", "Provenance", "export"]
