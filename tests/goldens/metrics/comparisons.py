"""Writes comparisons.json: permutation tests as scipy computes them, corrected p values as statsmodels does.

    python3 -m venv venv && venv/bin/pip install scipy statsmodels && venv/bin/python comparisons.py
"""

import json
from pathlib import Path

import numpy as np
import scipy
import statsmodels
from scipy.stats import permutation_test
from statsmodels.stats.multitest import multipletests


def mean(x, y, axis):
    return np.mean(x - y, axis=axis)


def rounded(x):
    return np.round(x * 64) / 64


def main():
    rng = np.random.default_rng(7)
    tests = []
    # Multiples of 1/64, so that sums are exact and tie; a case of equal differences; more pairs than are tried whole.
    for n, shift in [(2, 1.0), (3, 0.5), (5, 0.3), (6, 1.0), (8, -0.4), (12, 0.2), (15, 0.0)]:
        b = rounded(rng.normal(60, 2, n))
        a = rounded(b + shift + rng.normal(0, 0.5, n))
        found = permutation_test((a, b), mean, permutation_type="samples", vectorized=True, n_resamples=100_000, alternative="two-sided")
        tests.append({"a": a.tolist(), "b": b.tolist(), "difference": float(found.statistic), "p": float(found.pvalue)})
    a, b = np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.5, 1.5, 2.5, 3.5])
    found = permutation_test((a, b), mean, permutation_type="samples", vectorized=True, n_resamples=100_000)
    tests.append({"a": a.tolist(), "b": b.tolist(), "difference": float(found.statistic), "p": float(found.pvalue)})
    a, b = rounded(rng.normal(60.3, 1, 40)), rounded(rng.normal(60, 1, 40))
    found = permutation_test((a, b), mean, permutation_type="samples", vectorized=True, n_resamples=1_000_000, rng=1)
    drawn = {"a": a.tolist(), "b": b.tolist(), "p": float(found.pvalue)}
    corrections = []
    for ps in [[0.04], [0.01, 0.04, 0.03], [0.5, 0.001, 0.02, 0.02, 0.9, 0.0, 1.0], np.round(rng.uniform(0, 0.2, 12), 4).tolist()]:
        of = {name: multipletests(ps, method=method)[1].tolist() for name, method in [("holm", "holm"), ("bonferroni", "bonferroni"), ("benjamini_hochberg", "fdr_bh")]}
        corrections.append({"ps": ps, **of})
    golden = {
        "made_with": f"scipy {scipy.__version__}, statsmodels {statsmodels.__version__}, numpy {np.__version__}",
        "permutation": tests,
        "drawn": drawn,
        "corrections": corrections,
    }
    text = json.dumps(golden, separators=(",", ":")).replace('{"a"', '\n{"a"').replace('{"ps"', '\n{"ps"')
    Path(__file__).with_name("comparisons.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
