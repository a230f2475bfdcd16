"""Figures and HTML pages.

- `page` fills the templates, `style` holds the colours of both themes and draws plots.
- `run` is the report of a run or an evaluation: tables, findings, plots and tiles.
- `compare` is the page of a comparison and its leaderboard.
- `survey` draws the map and a section of a survey, and the page of its salt products.
"""

from diapir.reports.compare.comparison_gallery import sample_ids
from diapir.reports.compare.comparison_page import ComparisonReport, write_comparison
from diapir.reports.compare.comparison_words import findings
from diapir.reports.compare.leaderboard import as_text
from diapir.reports.run.report import write_evaluation_report, write_run_report
from diapir.reports.survey.lines_page import write_lines_report
from diapir.reports.survey.map import write_survey_pictures
from diapir.reports.survey.products_page import write_products_report

__all__ = [
    "ComparisonReport",
    "as_text",
    "findings",
    "sample_ids",
    "write_comparison",
    "write_evaluation_report",
    "write_lines_report",
    "write_products_report",
    "write_run_report",
    "write_survey_pictures",
]
