"""Writes figures.json: what numpy, matplotlib and scikit-learn compute for figures of seeded numbers.

    python3 -m venv venv && venv/bin/pip install numpy matplotlib scikit-learn && venv/bin/python figures.py
"""

import json
from pathlib import Path

import matplotlib
import numpy as np
import sklearn
from matplotlib import cbook
from sklearn.calibration import calibration_curve
from sklearn.metrics import average_precision_score, confusion_matrix, precision_recall_curve

draw = np.random.default_rng(20)


def tidy(numbers, digits=6):
    return [round(float(x), digits) for x in np.ravel(numbers)]


samples = {
    "normal": tidy(draw.normal(size=300)),
    "few": tidy(draw.normal(size=7)),
    "skewed": tidy(draw.exponential(size=150) ** 2),
    "whole": [int(x) for x in draw.integers(0, 12, size=90)],
    "constant": [2.5] * 8,
    "one": [4.0],
    "no_spread_in_the_middle": [1.0] * 30 + [0.25, 9.0],
    "two": [1.0, 3.0],
}

histograms = []
for name, values in samples.items():
    for bins in ["auto", 7]:
        counts, edges = np.histogram(np.array(values), bins=bins)
        histograms.append({"sample": name, "bins": bins, "counts": counts.tolist(), "edges": edges.tolist()})
edges = [-2, -0.5, 0.0, 1.25]
counts, _ = np.histogram(samples["normal"], bins=edges)
density, _ = np.histogram(samples["normal"], bins=edges, density=True)
histograms.append({"sample": "normal", "bins": edges, "counts": counts.tolist(), "edges": edges, "density": density.tolist()})

boxes = []
for name, values in samples.items():
    for whis in [1.5, 0.5]:
        (b,) = cbook.boxplot_stats(np.array(values, dtype=float), whis=whis)
        keys = {"q1": "q1", "median": "med", "q3": "q3", "mean": "mean", "whisker_low": "whislo", "whisker_high": "whishi"}
        box = {ours: float(b[theirs]) for ours, theirs in keys.items()}
        boxes.append({"sample": name, "whis": whis, "outliers": sorted(map(float, b["fliers"])), **box})

n, m = 120, 4
# Scores with few digits tie, and lie on edges of bins.
scores = np.round(draw.beta(0.7, 1.2, size=(n, m)), 2).astype(np.float32)
truth = (draw.uniform(size=(n, m)) < scores**1.5).astype(int)
curves = []
for name, s, t in [(str(j), scores[:, j], truth[:, j]) for j in range(m)] + [("all", scores.ravel(), truth.ravel())]:
    precision, recall, thresholds = precision_recall_curve(t, s)
    curve = {"label": name, "precision": precision.tolist(), "recall": recall.tolist(), "thresholds": tidy(thresholds, 9)}
    curve["AP"] = float(average_precision_score(t, s))
    for strategy in ["uniform", "quantile"]:
        true, predicted = calibration_curve(t, s.astype(float), n_bins=8, strategy=strategy)
        curve[strategy] = {"observed": true.tolist(), "predicted": predicted.tolist()}
    curves.append(curve)

# One label per image: the case that scikit-learn's confusion matrix is for.
one_true, one_predicted = draw.integers(0, 5, size=200), draw.integers(0, 5, size=200)
single = {
    "true": one_true.tolist(),
    "predicted": one_predicted.tolist(),
    "matrix": confusion_matrix(one_true, one_predicted, normalize="true").ravel().tolist(),
}
# Several labels: conditional means of numpy.
predicted = scores >= 0.4
conditional, wrong = np.full((m, m), np.nan), np.full((m, m), np.nan)
for i in range(m):
    for j in range(m):
        rows = truth[:, i] == 1
        conditional[i, j] = predicted[rows, j].mean()
        rows &= (truth[:, j] == 0) | (i == j)
        wrong[i, j] = predicted[rows, j].mean()

golden = {
    "made_by": f"numpy {np.__version__}, matplotlib {matplotlib.__version__}, scikit-learn {sklearn.__version__}",
    "samples": samples,
    "histograms": histograms,
    "boxes": boxes,
    "n": n,
    "m": m,
    "scores": tidy(scores, 2),
    "truth": truth.ravel().tolist(),
    "curves": curves,
    "single": single,
    "threshold": 0.4,
    "conditional": conditional.ravel().tolist(),
    "wrong": wrong.ravel().tolist(),
}
Path(__file__).with_suffix(".json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")
