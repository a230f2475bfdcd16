"""Figures and HTML pages.

`report` puts the page of a run together from the words (`facts`, `findings`), the plots (`figures`,
drawn in the look of `style`) and the tiles (`gallery`); `history` reads a run's curves. `compare`
does the same for a comparison from `leaderboard`, `compare_words`, `compare_figures` and
`compare_gallery`. `page` fills the templates. `survey_map` draws a survey's geometry and a section.
`products` is the page of a survey's salt, with the pictures of `products_figures`.
"""

from diapir.reports.compare.comparison_gallery import sample_ids
from diapir.reports.compare.comparison_page import write_comparison
from diapir.reports.compare.leaderboard import Contender, Failure, Results, rows
from diapir.reports.run.report import write_evaluation_report, write_run_report
from diapir.reports.survey.map import write_survey_pictures
from diapir.reports.survey.products_page import write_products_report
from diapir.run.history import read_history

__all__ = [
    "Contender",
    "Failure",
    "Results",
    "read_history",
    "rows",
    "sample_ids",
    "write_comparison",
    "write_evaluation_report",
    "write_products_report",
    "write_run_report",
    "write_survey_pictures",
]
