"""Figures and HTML pages.

`report` puts the page of a run together from the words (`facts`, `findings`), the plots (`figures`,
drawn in the look of `style`) and the tiles (`gallery`); `history` reads a run's curves. `compare`
formats the standings of a comparison: the page, and the leaderboard as CSV, Markdown and text.
`page` fills the templates. `survey_map` draws a survey's geometry and a section.
`products` is the page of a survey's salt, with the pictures of `products_figures`.
"""

from diapir.reports.compare.comparison_gallery import sample_ids
from diapir.reports.compare.comparison_page import ComparisonReport, write_comparison
from diapir.reports.compare.comparison_words import findings
from diapir.reports.compare.leaderboard import as_text
from diapir.reports.run.report import write_evaluation_report, write_run_report
from diapir.reports.survey.map import write_survey_pictures
from diapir.reports.survey.products_page import write_products_report

__all__ = [
    "ComparisonReport",
    "as_text",
    "findings",
    "sample_ids",
    "write_comparison",
    "write_evaluation_report",
    "write_products_report",
    "write_run_report",
    "write_survey_pictures",
]
