"""What a run yielded, to read by people (`report.html`), by machines and in a terminal."""

from codeio.report.figures import Report
from codeio.report.page import write_report
from codeio.report.reading import summarise
from codeio.report.terminal import terminal_summary

__all__ = ["Report", "summarise", "terminal_summary", "write_report"]
