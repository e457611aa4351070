"""Holds cpsd against its Python peers: the same data, the same work, the same threads, side by side in one run.

    python benches/peers/run.py PEERS_BINARY FOLDER [--small] [--threads N] [--json]

Prints a table in Markdown, or a row of page.py as JSON per line: medians, ratios and peak memory. Every repeat of a peer runs right after one of cpsd, each in
a process of its own, so that neither disturbs the other and a slow minute of the machine hits both.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time

import page

# task: (peer, repeats, goal as a ratio); without a peer the goal is in seconds
TASKS = {
    "coco.cooccurrence": [("scipy X.T @ X", 5, 8), ("pandas.crosstab", 1, None)],
    "openimages.cooccurrence": [("scipy X.T @ X", 1, 8)],
    "openimages.parquet": [("pyarrow, reading alone", 1, 1)],
    "coco.co": [("SpectralClustering, n_init 10", 5, 5)],
    "coco.dis": [("SpectralClustering, n_init 10", 5, 5)],
    "graph.co": [("SpectralClustering, n_init 10", 3, 5)],
    "graph.dis": [("SpectralClustering, n_init 10", 3, 10)],
    "openimages.both": [(None, 1, 20)],
    "coco.split": [("iterative-stratification", 1, None)],
    "scores.metrics": [("average_precision_score alone", 3, 20)],
    "instances.load": [("pycocotools, labels of each image", 1, 5)],
}

WHAT = {
    "coco.cooccurrence": "co-occurrence, COCO's size",
    "openimages.cooccurrence": "co-occurrence, Open Images' size",
    "openimages.parquet": "co-occurrence from Parquet, Open Images' size",
    "coco.co": "partition, 80 labels, co, k = 5",
    "coco.dis": "partition, 80 labels, dis, k = 5",
    "graph.co": "partition, 5,000 labels, co, k = 8",
    "graph.dis": "partition, 5,000 labels, dis, k = 8",
    "openimages.both": "partitions, 20,000 labels, both branches, k = 8",
    "coco.split": "stratified split, COCO's size",
    "scores.metrics": "all metrics, 40,137 × 80",
    "instances.load": "COCO JSON (339 MB) to a label table",
}


def rows(folder, name):
    import numpy as np
    import scipy.sparse as sp

    with open(f"{folder}/{name}.json") as f:
        sizes = json.load(f)
    offsets = np.fromfile(f"{folder}/{name}_offsets.u64", dtype=np.uint64).astype(np.int64)
    indices = np.fromfile(f"{folder}/{name}_indices.u32", dtype=np.uint32).astype(np.int32)
    return sp.csr_matrix((np.ones(len(indices), np.int32), indices, offsets), shape=(sizes["images"], sizes["labels"]))


def affinity(folder, name, branch):
    """P+ of the paper, and 1 - P+ for the other branch; zero diagonal."""
    import numpy as np

    x = rows(folder, name)
    e = np.asarray((x.T @ x).todense(), dtype=float)
    n = np.diag(e).copy()
    np.fill_diagonal(e, 0)
    s = np.divide(e, n[:, None], out=np.zeros_like(e), where=n[:, None] > 0)
    p = (np.sqrt(s) + np.sqrt(s).T) / 2
    if branch == "dis":
        p = 1 - p
        np.fill_diagonal(p, 0)
    return p


def ncut(p, labels):
    import numpy as np

    degrees = p.sum(1)
    parts = [labels == t for t in range(labels.max() + 1)]
    return float(sum((degrees[t].sum() - p[np.ix_(t, t)].sum()) / degrees[t].sum() for t in parts))


def peer(task, which, folder):
    """The peer's work, with its data read already, and what describes its result: (work, describe)."""
    import warnings

    import numpy as np

    warnings.simplefilter("ignore")
    name, what = task.split(".")
    if what == "cooccurrence" and which.startswith("scipy"):
        x = rows(folder, name)
        return lambda: x.T @ x, lambda e: int((e.nnz - (e.diagonal() > 0).sum()) // 2)
    if what == "cooccurrence":
        import pandas as pd

        x = rows(folder, name)
        table = pd.DataFrame({"image": np.repeat(np.arange(x.shape[0]), np.diff(x.indptr)), "label": x.indices})

        def crosstab():
            wide = pd.crosstab(table["image"], table["label"]).to_numpy()
            return wide.T @ wide

        return crosstab, lambda e: int((np.count_nonzero(e) - np.count_nonzero(np.diag(e))) // 2)
    if what == "parquet":
        import pyarrow.parquet

        path = f"{folder}/{name}.parquet"
        return lambda: pyarrow.parquet.read_table(path, memory_map=False), lambda table: f"{table.num_rows} rows"
    if what in ("co", "dis"):
        from sklearn.cluster import SpectralClustering

        p = affinity(folder, name, what)
        k = 5 if name == "coco" else 8
        return (
            lambda: SpectralClustering(k, affinity="precomputed", random_state=0).fit(p).labels_,
            lambda labels: {"ncut": ncut(p, labels), "sizes": np.bincount(labels).tolist()},
        )
    if what == "split":
        from iterstrat.ml_stratifiers import MultilabelStratifiedShuffleSplit

        y = np.asarray(rows(folder, name).todense())
        splitter = MultilabelStratifiedShuffleSplit(n_splits=1, test_size=0.1, random_state=0)
        return lambda: next(splitter.split(np.zeros(len(y)), y)), lambda parts: len(parts[1])
    if what == "metrics":
        from sklearn.metrics import average_precision_score

        scores = np.fromfile(f"{folder}/scores.f32", dtype=np.float32).reshape(-1, 80)
        targets = np.fromfile(f"{folder}/targets.u8", dtype=np.uint8).reshape(-1, 80)
        return lambda: average_precision_score(targets, scores, average="macro"), lambda value: 100 * float(value)
    if what == "load":
        import contextlib
        import io

        from pycocotools.coco import COCO

        def load():
            with contextlib.redirect_stdout(io.StringIO()):
                coco = COCO(f"{folder}/instances.json")
            return {i: {a["category_id"] for a in coco.imgToAnns[i]} for i in coco.getImgIds()}

        return load, lambda labels: sum(len(v) for v in labels.values())
    raise SystemExit(f"no task {task}")


def child(arguments, environment):
    """The JSON that a process prints last."""
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise NotRun(next((l for l in reversed(done.stderr.splitlines()) if l.strip()), f"it ended with {done.returncode}"))
    return json.loads(done.stdout.strip().splitlines()[-1])


class NotRun(Exception):
    """Why a side has no figure."""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("folder")
    parser.add_argument("--small", action="store_true", help="a hundredth of the data, to see that everything runs")
    parser.add_argument("--threads", default=str(os.cpu_count()))
    parser.add_argument("--only", default="", help="tasks that have this in their name")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--peer", nargs=3, metavar=("TASK", "PEER", "REPEATS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer:
        task, which, repeats = options.peer
        work, describe = peer(task, which, options.folder)
        seconds = []
        for _ in range(int(repeats)):
            start = time.perf_counter()
            result = work()
            seconds.append(time.perf_counter() - start)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(json.dumps({"seconds": seconds, "peak_mb": peak, "result": describe(result)}))
        return
    threads = {"RAYON_NUM_THREADS": options.threads, "OMP_NUM_THREADS": options.threads, "OPENBLAS_NUM_THREADS": options.threads}
    environment = os.environ | threads
    if not all(os.path.exists(f"{options.folder}/{name}") for name in ("openimages.parquet", "instances.json")):
        subprocess.run([options.binary, "prepare", options.folder] + (["small"] if options.small else []), check=True)
    show = page.shown(options.json)
    for task, peers in TASKS.items():
        for which, repeats, goal in peers:
            if options.only in task:
                show(measure(options, environment, task, which, repeats, goal))


def measure(options, environment, task, which, repeats, goal):
    """A row of the page."""
    goal = {"ratio" if which else "seconds": goal} if goal else None
    about = {"id": f"{task}/{which}" if which else task, "what": WHAT[task]}
    # Short work is done often enough in one process that its median is a warm one, as the peer's would be.
    inner = "1" if repeats == 1 else "9" if repeats > 3 else "3"
    ours, theirs, missing = [], [], None
    for _ in range(repeats):
        try:
            ours.append(child([options.binary, task, options.folder, inner], environment))
        except NotRun as error:
            return about | {"peer": which or "", "goal": goal, "not_run": str(error)}
        if which and not missing:
            command = [sys.executable, __file__, options.binary, options.folder, "--peer", task, which, inner]
            try:
                theirs.append(child(command, environment))
            except NotRun as error:
                missing = str(error)
    theirs = [] if missing else theirs
    seconds = [[statistics.median(x["seconds"]) for x in side] for side in (ours, theirs)]
    memory = [max(x["peak_mb"] or 0 for x in side) for side in (ours, theirs) if side]
    note = " / ".join(short(side[0]["result"]) for side in (ours, theirs) if side)
    row = page.row(**about, ours=seconds[0], peer=which, theirs=seconds[1], goal=goal, memory=memory, note=note)
    return row | ({"peer_not_run": missing} if missing else {})


def short(result):
    if isinstance(result, dict):
        return f"cut {result['ncut']:.5f}"
    if isinstance(result, list):
        return ", ".join(map(short, result))
    return f"{result:.4f}" if isinstance(result, float) else str(result)


if __name__ == "__main__":
    main()
