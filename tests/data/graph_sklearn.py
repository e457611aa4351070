"""Writes graph_sklearn.json: scikit-learn's values on the COCO label graph, for graph_golden.rs.

    pip install scikit-learn && python tests/data/graph_sklearn.py ../shared/data
"""

import csv
import json
import pathlib
import sys

import numpy as np
import sklearn
from sklearn.cluster import SpectralClustering
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

data = pathlib.Path(sys.argv[1])
golden = json.loads((data / "golden_coco.json").read_text())
e = np.array([row[1:] for row in csv.reader((data / "coco_cooccurrence.csv").open())][1:], float)
n = np.array([row[2] for row in csv.reader((data / "coco_nums.csv").open())][1:], float)
root = np.sqrt(e / n[:, None])
plus = (root + root.T) / 2
minus = 1 - plus
np.fill_diagonal(minus, 0)
ks = [2, 3, 5, 8, 13]


def ncut(p, labels):
    d = p.sum(1)
    return sum(p[np.ix_(labels == t, labels != t)].sum() / d[labels == t].sum() for t in np.unique(labels))


out = {"sklearn": sklearn.__version__, "agreement": [], "partitions": {}}
official = {
    (branch, k): golden["branches"][branch]["parts"][str(k)]["official"]["labels"] for branch in ("co", "dis") for k in ks
}
for branch in ("co", "dis"):
    for k, l in [(2, 3), (3, 5), (5, 13), (8, 8)]:
        p, q = official["co", k], official[branch, l]
        scores = {"ari": adjusted_rand_score(p, q), "nmi": normalized_mutual_info_score(p, q)}
        out["agreement"].append({"p": ["co", k], "q": [branch, l], **scores})

for branch, p in (("co", plus), ("dis", minus)):
    out["partitions"][branch] = {}
    for k in ks:
        here = {}
        for assign in ("kmeans", "discretize", "cluster_qr"):
            cuts = []
            for seed in range(5):
                model = SpectralClustering(k, affinity="precomputed", assign_labels=assign, n_init=20, random_state=seed)
                labels = model.fit_predict(p)
                cuts.append(ncut(p, labels))
            here[assign] = {"ncut_of_seeds": [round(float(c), 12) for c in cuts]}
            if assign == "cluster_qr":
                first = {}
                here[assign]["labels"] = [first.setdefault(int(t), len(first)) for t in labels]
        out["partitions"][branch][str(k)] = here

pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(out) + "\n")
