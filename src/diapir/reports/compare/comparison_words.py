"""The findings of a comparison in sentences, and the settings in which its models differ."""

from __future__ import annotations

from collections.abc import Sequence

from diapir.config import config_diff
from diapir.evaluation.metric_names import METRICS
from diapir.evaluation.standings import Results
from diapir.reports.compare.leaderboard import score_words, verdict_words
from diapir.reports.run.findings import FEW_GROUPS
from diapir.text import decimal, integer, plural, significant

_NOT_TERMS = ("model.", "name", "seed", "data.split", "track.")
"""Keys of a recipe that may differ between models on equal terms."""
_NAMED = 5
"""A sentence names up to this many models, and counts more."""


def findings(results: Results) -> list[str]:
    """Findings of a comparison, the most important first."""
    sentences = [_caution(results), _not_equal(results), _first(results)]
    if len(results.standings) > 1:
        sentences += [_ties(results), _fastest(results), _against_baseline(results)]
    sentences.append(_without_verdict(results))
    return [sentence for sentence in sentences if sentence]


def evaluated_on(results: Results) -> str:
    """600 tiles in 41 section groups."""
    data = results.evaluation.data
    tiles = plural(data["n_images"], "tile")
    if data["n_groups"] == data["n_images"]:
        return tiles
    return f"{tiles} in {plural(data['n_groups'], 'section group')}"


def _caution(results: Results) -> str:
    if results.evaluation.data["n_groups"] >= FEW_GROUPS:
        return ""
    return f"Evaluated on only {evaluated_on(results)}: the ranking is preliminary."


def _not_equal(results: Results) -> str:
    """The settings beside the network in which models differ, unless these are compared."""
    asked = dict(results.terms).get("Variants", "")
    differing = [(key, values) for key, values in unequal(results) if f"{key}=" not in asked]
    if not differing:
        return ""
    shown = "; ".join(
        f"{key}: " + ", ".join(f"{value} ({names})" for value, names in values)
        for key, values in differing[:_NAMED]
    )
    more = len(differing) - _NAMED
    further = f"; {plural(more, 'further setting')}, see Method" if more > 0 else ""
    return f"Not on equal terms: {shown}{further}. --set KEY=VALUE sets a key for all recipes."


def _first(results: Results) -> str:
    first = results.standings[0]
    score = f"{_metric(results)} {score_words(first.score)}"
    if not first.fault:
        return f"{first.name} scores highest: {score}."
    nothing = f"predicting nothing scores {decimal(results.nothing[results.by])}"
    return (
        f"{first.name} has the highest score, {score}, but it bears no verdict: {first.fault}; "
        f"{nothing}."
    )


def _without_verdict(results: Results) -> str:
    faults: dict[str, list[str]] = {}
    for one in results.standings[1:]:
        if one.fault:
            faults.setdefault(one.fault, []).append(one.name)
    listed = "; ".join(f"{_some(names)} ({fault})" for fault, names in faults.items())
    return f"No verdict on: {listed}." if listed else ""


def _ties(results: Results) -> str:
    if results.standings[0].fault:
        return ""
    others = len(results.standings) - 1
    tied = [one.name for one in results.standings if one.tied]
    if not tied:
        if any(one.fault for one in results.standings):
            return ""  # the others are not all comparable
        return f"It is significantly better than {'all others' if others > 1 else 'the other'}."
    if len(tied) == others:
        return "No other model is significantly worse."
    return f"Statistically tied with it: {_some(tied)}."


def _fastest(results: Results) -> str:
    first, fastest = results.standings[0], results.fastest_tied
    if fastest is None or fastest.tile_ms is None or first.tile_ms is None:
        return ""
    return (
        f"The fastest of these is {fastest.name}: {significant(fastest.tile_ms)} ms per tile, "
        f"{decimal(first.tile_ms / fastest.tile_ms, 1)} times as fast as {first.name}."
    )


def _against_baseline(results: Results) -> str:
    verdicts: dict[str, list[str]] = {}
    for one in results.standings:
        if one.difference and not results.no_verdict(one):
            verdicts.setdefault(verdict_words(one.difference), []).append(one.name)
    if not verdicts:
        return ""
    listed = "; ".join(f"{verdict}: {_some(names)}" for verdict, names in verdicts.items())
    return f"{_metric(results)} against the baseline {results.baseline}: {listed}."


def _metric(results: Results) -> str:
    return METRICS[results.by].name


def _some(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= _NAMED else integer(len(names))


def unequal(results: Results) -> list[tuple[str, list[tuple[str, str]]]]:
    """Settings beside the network in which the models differ.

    Returns:
        for each key its values, the baseline's first, each with the models that have it.
    """
    reference = results.candidates[results.baseline].config
    changed: dict[str, dict[str, list[str]]] = {}
    for name, candidate in results.candidates.items():
        for key, (usual, other) in config_diff(reference, candidate.config).items():
            if not key.startswith(_NOT_TERMS):
                values = changed.setdefault(key, {_value(usual): []})
                values.setdefault(_value(other), []).append(name)
    for values in changed.values():
        odd = {name for names in values.values() for name in names}
        values[next(iter(values))] += [name for name in results.candidates if name not in odd]
    return [
        (key, [(value, ", ".join(names)) for value, names in values.items()])
        for key, values in sorted(changed.items())
    ]


def _value(value: object) -> str:
    return "none" if value is None else str(value)
