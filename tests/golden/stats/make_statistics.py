#!/usr/bin/env python3
"""Writes statistics.json: what numpy and scipy say about fixed samples, for tests/core/stats/golden_test.cpp.

    python3 -m venv venv && venv/bin/pip install numpy scipy && venv/bin/python make_statistics.py
"""
import json
import pathlib

import numpy
import scipy.stats

RESAMPLES = 400000
rng = numpy.random.default_rng(20240423)

reference = [41.2, 40.8, 41.9, 40.1, 41.5, 42.3, 40.6, 41.1, 41.7, 40.9, 41.3, 41.0]
candidate = [40.1, 39.9, 41.2, 39.2, 40.0, 41.6, 39.9, 40.3, 40.2, 40.4, 40.5, 39.7]
logs = numpy.log(numpy.array(candidate) / numpy.array(reference))


def paired():
    drawn = logs[rng.integers(0, len(logs), (RESAMPLES, len(logs)))]
    medians = numpy.median(drawn, axis=1)
    below, above = (medians <= 0).sum(), (medians >= 0).sum()
    return {"estimate": float(numpy.exp(numpy.median(logs))), "low": float(numpy.exp(numpy.percentile(medians, 2.5))),
            "high": float(numpy.exp(numpy.percentile(medians, 97.5))), "p": float(min(1, 2 * (min(below, above) + 1) / (RESAMPLES + 1)))}


def mean_p(values):
    """Bootstrap of a mean with a p value that is neither 0 nor 1."""
    values = numpy.array(values)
    means = values[rng.integers(0, len(values), (RESAMPLES, len(values)))].mean(axis=1)
    below, above = (means <= 0).sum(), (means >= 0).sum()
    return {"values": values.tolist(), "p": float(min(1, 2 * (min(below, above) + 1) / (RESAMPLES + 1)))}


def summary(values):
    values = numpy.array(values)
    return {"values": values.tolist(), "median": float(numpy.median(values)), "q25": float(numpy.quantile(values, 0.25)),
            "q75": float(numpy.quantile(values, 0.75)), "iqr": float(scipy.stats.iqr(values)), "mean": float(values.mean()),
            "sd": float(values.std(ddof=1)), "standard_error": float(scipy.stats.sem(values)), "relative_sd": float(values.std(ddof=1) / values.mean())}


def mcnemar(lost, gained):
    n = lost + gained
    if n < 25:
        p = scipy.stats.binomtest(min(lost, gained), n, 0.5).pvalue
    else:
        p = scipy.stats.chi2.sf((abs(lost - gained) - 1) ** 2 / n, 1)
    return {"lost": lost, "gained": gained, "p": float(p)}


def wilson(successes, n):
    interval = scipy.stats.binomtest(successes, n).proportion_ci(0.95, method="wilson")
    return {"successes": successes, "n": n, "low": float(interval.low), "high": float(interval.high)}


def holm(p_values):
    order = numpy.argsort(p_values)
    adjusted, running = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = running
    return {"p": p_values, "adjusted": adjusted}


document = {
    "made_with": {"numpy": numpy.__version__, "scipy": scipy.__version__, "resamples": RESAMPLES},
    "paired_ratio": {"reference": reference, "candidate": candidate, **paired()},
    "mean_p": [mean_p([0.4, -0.1, 0.3, 0.2, -0.2, 0.5, 0.1, -0.3, 0.6, 0.0]), mean_p([1.0, 1.2, -0.4, 0.8, 0.7, -0.2])],
    "summaries": [summary(reference), summary([3.0, 1.0, 2.0, 8.0, 5.0])],
    "mcnemar": [mcnemar(14, 2), mcnemar(9, 1), mcnemar(40, 22), mcnemar(3, 3), mcnemar(12, 12)],
    "wilson": [wilson(78, 100), wilson(0, 12), wilson(500, 500), wilson(1, 3)],
    "holm": [holm([0.01, 0.04, 0.03, 0.005]), holm([0.2, 0.6]), holm([0.0215] * 4)],
}
path = pathlib.Path(__file__).with_name("statistics.json")
path.write_text(json.dumps(document, indent=1) + "\n")
