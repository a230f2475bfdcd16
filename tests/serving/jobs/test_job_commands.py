from diapir.serving.jobs.job_commands import hint_words
from diapir.surveys import SurveyHints


def test_hints_are_told_as_options() -> None:
    hints = SurveyHints(inline_byte=9, domain="time", undefined=(-9999.0,), allow=("velocity",))
    words = ["--inline-byte", "9", "--domain", "time", "--undefined", "-9999.0"]
    assert hint_words(hints) == [*words, "--allow", "velocity"]
    assert hint_words(None) == []
