"""What a comparison says, in sentences, and on what terms its models were trained."""

from __future__ import annotations

from diapir.config import config_diff
from diapir.evaluation.metric_names import METRICS
from diapir.reports.compare.leaderboard import Contender, Results, interval, verdict_words
from diapir.reports.run.findings import FEW_GROUPS
from diapir.text import decimal, integer, plural, significant

_NOT_TERMS = ("model.", "name", "seed", "data.split", "track.")
"""Keys of a recipe that may differ between models on equal terms."""
_NAMED = 5
"""So many models are named in a sentence; more are counted."""


def findings(results: Results) -> list[str]:
    """What the leaderboard says, the most important first."""
    sentences = [_caution(results), _first(results)]
    if len(results.ranked) > 1:
        sentences += [_equals(results), _quickest(results), _against_baseline(results)]
    return [sentence for sentence in sentences if sentence]


def judged_on(results: Results) -> str:
    """600 tiles of 41 section groups."""
    data = results.evaluation.data
    tiles = plural(data["n_images"], "tile")
    if data["n_groups"] == data["n_images"]:
        return tiles
    return f"{tiles} of {plural(data['n_groups'], 'section group')}"


def quickest_equal(results: Results) -> Contender | None:
    """The quickest of the first and those not shown to be worse, if that is another one."""
    first = results.ranked[0]
    equals = [first, *(results.contenders[name] for name in results.tied)]
    times = {one.latency.tile_ms: one for one in reversed(equals) if one.latency}
    quickest = times[min(times)] if times else first
    return None if quickest is first else quickest


def _caution(results: Results) -> str:
    if results.evaluation.data["n_groups"] >= FEW_GROUPS:
        return ""
    return f"Judged on only {judged_on(results)}: take the order as a first impression."


def _first(results: Results) -> str:
    first, metric = results.ranked[0], METRICS[results.by].name
    score = results.comparison.score(first.name, results.by)
    between = interval(score.low, score.high)
    return f"{first.name} scores highest: {metric} {decimal(score.value)}{between}."


def _equals(results: Results) -> str:
    others = len(results.ranked) - 1
    if not results.tied:
        return (
            f"It is shown to be better than {'each of the others' if others > 1 else 'the other'}."
        )
    if len(results.tied) == others:
        return "None of the others is shown to be worse."
    return f"Not shown to be worse: {_some(results.tied)}."


def _quickest(results: Results) -> str:
    first, quickest = results.ranked[0], quickest_equal(results)
    if quickest is None or quickest.latency is None or first.latency is None:
        return ""
    times = first.latency.tile_ms / quickest.latency.tile_ms
    return (
        f"Of these, {quickest.name} is the quickest: {significant(quickest.latency.tile_ms)} ms a "
        f"tile, {decimal(times, 1)} times as quick as {first.name}."
    )


def _against_baseline(results: Results) -> str:
    verdicts: dict[str, list[str]] = {}
    for contender in results.ranked:
        found = results.difference(contender.name, results.by)
        if found:
            verdicts.setdefault(verdict_words(found), []).append(contender.name)
    told = [f"{verdict}: {_some(names)}" for verdict, names in verdicts.items()]
    metric = METRICS[results.by].name
    return f"Against the baseline, {results.baseline}, by {metric}: {'; '.join(told)}."


def _some(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= _NAMED else integer(len(names))


def unequal(results: Results) -> list[tuple[str, list[tuple[str, str]]]]:
    """Settings beside the network in which the models differ.

    Returns:
        for each key the values, the baseline's first, each with the models that have it.
    """
    reference = results.contenders[results.baseline].config
    changed: dict[str, dict[str, list[str]]] = {}
    for name, contender in results.contenders.items():
        for key, (usual, other) in config_diff(reference, contender.config).items():
            if not key.startswith(_NOT_TERMS):
                values = changed.setdefault(key, {_value(usual): []})
                values.setdefault(_value(other), []).append(name)
    for values in changed.values():
        odd = {name for names in values.values() for name in names}
        values[next(iter(values))] += [name for name in results.contenders if name not in odd]
    return [
        (key, [(value, ", ".join(names)) for value, names in values.items()])
        for key, values in sorted(changed.items())
    ]


def _value(value: object) -> str:
    return "none" if value is None else str(value)
