"""Figures and the HTML report.

`report` puts a page together from the words (`facts`, `findings`), the plots (`figures`, drawn in
the look of `style`) and the tiles (`gallery`); `history` reads a run's curves.
"""

from diapir.reports.report import write_evaluation_report, write_run_report

__all__ = ["write_evaluation_report", "write_run_report"]
