"""Writes golden.json: metrics of small score matrices as scikit-learn and scipy compute them.

    python3 -m venv venv && venv/bin/pip install scikit-learn && venv/bin/python generate.py

VOC 2012 AP is a transcription of the definition in the VOC2012 development kit, section 3.4.1: precision made
monotonically decreasing by taking, at each recall, the maximum over all recalls that are not lower; then the area
under that curve. It runs over scikit-learn's precision-recall curve, which has one point per distinct score.
"""

import json
from pathlib import Path

import numpy as np
import scipy
import sklearn
from scipy import stats
from sklearn.metrics import average_precision_score, precision_recall_curve, precision_recall_fscore_support


def voc2012(truth, scores):
    precision, recall, _ = precision_recall_curve(truth, scores)
    precision, recall = precision[::-1], recall[::-1]  # recall now rises from 0
    area = 0.0
    for i in range(1, len(recall)):
        area += (recall[i] - recall[i - 1]) * max(precision[i:])
    return area


def decisions(truth, predicted):
    present = np.flatnonzero(truth.sum(0))
    p, r, f, _ = precision_recall_fscore_support(truth, predicted, average=None, zero_division=0)
    cp, cr, macro_f1, _ = precision_recall_fscore_support(
        truth, predicted, labels=present, average="macro", zero_division=0
    )
    op, orr, of1, _ = precision_recall_fscore_support(truth, predicted, average="micro", zero_division=0)
    cf1 = 2 * cp * cr / (cp + cr) if cp + cr else 0.0
    return {
        "CP": cp, "CR": cr, "CF1": cf1, "OP": op, "OR": orr, "OF1": of1, "macro_F1": macro_f1,
        "precision": p.tolist(), "recall": r.tolist(), "f1": f.tolist(),
    }


def case(name, scores, truth, thresholds, k):
    scores = scores.astype(np.float32)
    present = np.flatnonzero(truth.sum(0))
    ap = [average_precision_score(truth[:, j], scores[:, j]) if j in present else None for j in range(truth.shape[1])]
    voc = [voc2012(truth[:, j], scores[:, j]) if j in present else None for j in range(truth.shape[1])]
    # The first of equal scores stands first: a stable sort of the negated row.
    top = np.zeros_like(truth)
    for row, order in enumerate(np.argsort(-scores, axis=1, kind="stable")):
        top[row, order[:k]] = 1
    return {
        "name": name,
        "images": int(truth.shape[0]),
        "labels": int(truth.shape[1]),
        "scores": [float(str(s)) for s in scores.ravel()],
        "targets": truth.ravel().tolist(),
        "ap": ap,
        "mAP": average_precision_score(truth[:, present], scores[:, present], average="macro"),
        "voc_ap": voc,
        "voc_mAP": float(np.mean([v for v in voc if v is not None])),
        "at": [
            {"threshold": t, **decisions(truth, (scores >= np.float32(t)).astype(int))} for t in thresholds
        ],
        "k": k,
        "top": decisions(truth, top),
        "top_passing": decisions(truth, top * (scores >= np.float32(thresholds[0]))),
    }


def drawn(rng, n, m, rates, noise):
    truth = (rng.random((n, m)) < rates).astype(int)
    scores = 1 / (1 + np.exp(-(3 * truth - 1.5 + noise * rng.standard_normal((n, m)))))
    return scores, truth


def main():
    rng = np.random.default_rng(20220)
    cases = []

    scores, truth = drawn(rng, 60, 8, rng.uniform(0.1, 0.6, 8), 1.5)
    cases.append(case("no ties", scores, truth, [0.5, 0.8], 3))

    scores, truth = drawn(rng, 70, 6, rng.uniform(0.1, 0.5, 6), 2.0)
    cases.append(case("ties of one decimal", np.round(scores, 1), truth, [0.5, 0.8], 2))

    scores, truth = drawn(rng, 80, 7, np.array([0.5, 0.01, 0.02, 0.3, 0.0, 0.9, 0.02]), 1.5)
    truth[:, 1] = 0
    truth[17, 1] = 1  # one positive
    truth[:, 4] = 0  # none
    truth[:, 5] = 1  # all
    cases.append(case("rare, absent and ever-present labels", scores, truth, [0.5, 0.9], 3))

    scores, truth = drawn(rng, 40, 4, np.full(4, 0.3), 1.0)
    scores[:, 0] = 0.5  # all equal
    scores[:, 1] = np.where(rng.random(40) < 0.5, 0.5, 0.25)  # two values
    scores[:, 2] *= 0.4  # nothing predicted
    cases.append(case("constant, binary and low scores", scores, truth, [0.5], 2))

    a = np.round(rng.normal(80, 10, 24), 3)
    b = np.round(a - rng.normal(1.0, 2.0, 24), 3)
    wide = stats.bootstrap(
        ((a - b),), np.mean, n_resamples=400_000, confidence_level=0.9, method="percentile", batch=10_000,
        rng=np.random.default_rng(1),
    )
    paired = {
        "a": a.tolist(), "b": b.tolist(), "level": 0.9,
        "mean": float(a.mean()), "sem": float(stats.sem(a)),
        "difference": float((a - b).mean()), "sd": float(wide.standard_error),
        "low": float(wide.confidence_interval.low), "high": float(wide.confidence_interval.high),
    }
    golden = {
        "made_with": f"scikit-learn {sklearn.__version__}, scipy {scipy.__version__}, numpy {np.__version__}",
        "cases": cases,
        "paired": paired,
    }
    text = json.dumps(golden, indent=None, separators=(",", ":"))
    text = text.replace('{"name"', '\n{"name"').replace('"paired"', '\n"paired"')
    Path(__file__).with_name("golden.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
