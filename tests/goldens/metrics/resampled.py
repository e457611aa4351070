"""Writes resampled.json: mAP of pictures that count several times, as scikit-learn weighs them, and pairs that a paired t test needs, as
statsmodels solves for them.

    python3 -m venv venv && venv/bin/pip install scikit-learn statsmodels && venv/bin/python resampled.py
"""

import json
import warnings
from pathlib import Path

import numpy as np
import sklearn
import statsmodels
from sklearn.metrics import average_precision_score
from statsmodels.stats.power import TTestPower


def mean_ap(scores, targets, counts):
    """In percent, over the labels with a positive among the pictures that count."""
    aps = []
    for label in range(scores.shape[1]):
        known = targets[:, label] >= 0
        if (counts * (targets[:, label] == 1)).sum() == 0:
            continue
        aps.append(average_precision_score(targets[known, label], scores[known, label], sample_weight=counts[known]))
    return 100 * float(np.mean(aps))


def main():
    rng = np.random.default_rng(11)
    cases = []
    # Plain; with ties; with unknown truth; a rare label that is not drawn at times.
    for n, m, digits, unknown in [(30, 4, 6, 0.0), (40, 3, 1, 0.0), (25, 5, 2, 0.2), (12, 3, 6, 0.0)]:
        targets = (rng.random((n, m)) < 0.3).astype(int)
        targets[0] = 1
        if n == 12:
            targets[:, 2] = 0
            targets[3, 2] = 1
        targets[rng.random((n, m)) < unknown] = -1
        targets[0, 0] = 1
        # Exact in single precision, so that both sort the same numbers.
        scores = np.round(0.4 * np.maximum(targets, 0) + rng.random((n, m)), digits).astype(np.float32)
        draws = []
        for _ in range(4):
            counts = np.bincount(rng.integers(0, n, n), minlength=n)
            draws.append({"counts": counts.tolist(), "map": mean_ap(scores.astype(np.float64), targets, counts)})
        cases.append({"n": n, "labels": m, "scores": scores.astype(float).ravel().tolist(), "targets": targets.ravel().tolist(), "draws": draws})
    solver = TTestPower()
    pairs, powers = [], []
    for effect, alpha, power in [(0.5, 0.05, 0.8), (1.0, 0.05, 0.8), (0.2, 0.01, 0.9), (1.5, 0.05, 0.95), (0.8, 0.005, 0.8), (0.05, 0.05, 0.8)]:
        n = solver.solve_power(effect_size=effect, alpha=alpha, power=power, alternative="two-sided")
        pairs.append({"effect": effect, "alpha": alpha, "power": power, "n": float(np.ravel(n)[0])})
    for effect, n in [(0.5, 2), (2.0, 3), (1.0, 5), (0.3, 8), (0.1, 1000), (3.0, 4)]:
        powers.append({"effect": effect, "n": n, "power": float(solver.power(effect, n, 0.05, alternative="two-sided"))})
    golden = {
        "made_with": f"scikit-learn {sklearn.__version__}, statsmodels {statsmodels.__version__}, numpy {np.__version__}",
        "resampled": cases,
        "pairs": pairs,
        "powers": powers,
    }
    text = json.dumps(golden, separators=(",", ":")).replace('{"n"', '\n{"n"').replace('{"effect"', '\n{"effect"')
    Path(__file__).with_name("resampled.json").write_text(text + "\n")


if __name__ == "__main__":
    warnings.simplefilter("error")
    main()
