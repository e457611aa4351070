"""Writes unknown.json: metrics of score matrices with targets of unknown truth (-1), as scikit-learn computes them.

    python3 -m venv venv && venv/bin/pip install scikit-learn && venv/bin/python unknown.py

Every number of a label is scikit-learn's on the rows where the label is known; OP, OR and OF1 are its binary scores of all
known entries in one list. The top k of an image are the first k of a stable sort of its known scores.
"""

import json
from pathlib import Path

import numpy as np
import scipy
import sklearn
from sklearn.metrics import average_precision_score, precision_recall_fscore_support

from generate import drawn, voc2012


def of(truth, predicted):
    p, r, f, _ = precision_recall_fscore_support(truth, predicted, average="binary", zero_division=0)
    return float(p), float(r), float(f)


def decisions(truth, predicted):
    known = truth >= 0
    each = [of(truth[known[:, j], j], predicted[known[:, j], j]) if known[:, j].any() else (0.0, 0.0, 0.0) for j in range(truth.shape[1])]
    cp, cr, macro_f1 = np.mean([each[j] for j in np.flatnonzero((truth == 1).any(0))], axis=0).tolist()
    op, orr, of1 = of(truth[known], predicted[known])
    return {
        "CP": cp, "CR": cr, "CF1": 2 * cp * cr / (cp + cr) if cp + cr else 0.0, "OP": op, "OR": orr, "OF1": of1,
        "macro_F1": macro_f1, "precision": [e[0] for e in each], "recall": [e[1] for e in each], "f1": [e[2] for e in each],
    }


def case(name, scores, truth, thresholds, k):
    scores = scores.astype(np.float32)
    known = truth >= 0
    column = lambda of, j: float(of(truth[known[:, j], j], scores[known[:, j], j])) if (truth[:, j] == 1).any() else None
    m = truth.shape[1]
    ap = [column(average_precision_score, j) for j in range(m)]
    voc = [column(voc2012, j) for j in range(m)]
    top = np.zeros_like(truth)
    for row in range(len(truth)):
        labels = np.flatnonzero(known[row])
        top[row, labels[np.argsort(-scores[row, labels], kind="stable")][:k]] = 1
    return {
        "name": name,
        "images": int(truth.shape[0]),
        "labels": m,
        "scores": [float(str(s)) for s in scores.ravel()],
        "targets": truth.ravel().tolist(),
        "unknown": (~known).sum(0).tolist(),
        "few": int((known.sum(1) <= k).sum()),
        "ap": ap,
        "mAP": float(np.mean([a for a in ap if a is not None])),
        "voc_ap": voc,
        "voc_mAP": float(np.mean([v for v in voc if v is not None])),
        "at": [{"threshold": t, **decisions(truth, (scores >= np.float32(t)).astype(int))} for t in thresholds],
        "k": k,
        "top": decisions(truth, top),
        "top_passing": decisions(truth, top * (scores >= np.float32(thresholds[0]))),
    }


def main():
    rng = np.random.default_rng(20221)
    cases = []

    scores, truth = drawn(rng, 60, 7, rng.uniform(0.1, 0.6, 7), 1.5)
    truth[rng.random(truth.shape) < 0.3] = -1
    cases.append(case("no ties", scores, truth, [0.5, 0.8], 3))

    scores, truth = drawn(rng, 50, 6, rng.uniform(0.2, 0.5, 6), 2.0)
    truth[rng.random(truth.shape) < 0.4] = -1
    truth[5] = -1  # an image of which nothing is known
    truth[6, 1:] = -1  # and one of which a single label is
    truth[:, 2] = -1  # a label that is known nowhere
    truth[truth[:, 4] == 1, 4] = -1  # and one whose positives are all unknown
    cases.append(case("ties, and labels and images of which little is known", np.round(scores, 1), truth, [0.5, 0.8], 2))

    golden = {
        "made_with": f"scikit-learn {sklearn.__version__}, scipy {scipy.__version__}, numpy {np.__version__}",
        "cases": cases,
    }
    text = json.dumps(golden, indent=None, separators=(",", ":")).replace('{"name"', '\n{"name"')
    Path(__file__).with_name("unknown.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
