"""Figures of benchmarks: their rows, the page that shows them, and what became slower.

Only data and text, so that its examples can be tried without measuring: python -m doctest benches/peers/page.py

A row is a map: `id` and `what` it measures; `seconds` of cpsd; `peer`, its name, and `peer_seconds`; `ratio`, the peer's seconds
by cpsd's; `goal`, {"ratio": at least} or {"seconds": at most}; `memory`, the most megabytes that both held; `note`. A row that
could not be measured has `not_run`, the reason; one whose peer could not has `peer_not_run`.
"""

import json
import statistics

SLOWER = 1.1

# In the order of the page: title, and a sentence on what is measured.
SUITES = {
    "load": (
        "Training on a busy machine",
        "A training of small_cnn by the program itself, idle and beside as many processes that compute without end as there are"
        " cores; the peer is cpsd itself on the idle machine, and the goal is a share of its rate. cpsd makes waiting threads sleep"
        " early (GOMP_SPINCOUNT=10000); a second row shows what happens with libgomp's own 300,000.",
    ),
    "language": (
        "The language",
        "Time per element, start-up subtracted, beside CPython 3 and Rhai alone, the interpreter inside cpsd. Rhai alone and CPython"
        " have no tables: there the rows stay an array or a list of maps. Rows called \"at 4n\" show whether an element costs more where there are more of them: 1.00× is linear, 0.25×"
        " quadratic.",
    ),
    "startup": ("Start-up", "From the start of the process to its end, or to the prompt; medians of 10."),
    "prompt": ("The prompt", "Criterion's medians; 200 variables and 200 functions are in scope."),
    "graph": ("Label graphs of COCO's size", "Criterion's medians: 82,081 images, 80 labels."),
    "peers": (
        "Label graphs, tables and metrics",
        "The same data and work in both programs, on the same number of threads. COCO's size is 82,081 images and 80 labels, Open"
        " Images' size 9 million images and 20,000 labels, \"graph\" has 5,000 labels. cpsd's partitions have 50 restarts"
        " (scikit-learn: 10) and include the z score.",
    ),
    "frozen": (
        "Frozen stages",
        "One picture through the five frozen stages of EfficientNet-Lite0 at 128 pixels, without decoding: of batches of 16 and 64,"
        " each program's faster one; two threads. exact, folded and bfloat16 are values of the option frozen_compute, the first the"
        " default.",
    ),
    "training": (
        "Training",
        "cpsd and the usual loop of PyTorch and torchvision: batch 16, 240 JPEGs of 640 × 480, the authors' augmentation, two threads."
        " input is a pass over the pictures, step ten updates, epoch all of it, ablation the five rows of the paper with k = 3"
        " (46 units of work the authors' way, 40 where teachers are asked once; with steps of equal speed the ratio would be 1.15),"
        " sweep ten CPSD students (weights and losses) of the same teachers with k = 5. These two run once, the rest are medians of"
        " three.",
    ),
}


def row(id, what, ours=(), peer=None, theirs=(), goal=None, memory=None, note=""):
    """A row of the medians of repeats.

    >>> row("a.b", "sums", [3, 1, 2], "numpy", [4, 4, 9], {"ratio": 3})["ratio"]
    2.0
    """
    made = {"id": id, "what": what, "seconds": rounded(statistics.median(ours)), "goal": goal, "memory": memory, "note": note}
    if peer:
        made["peer"] = peer
    if theirs:
        made["peer_seconds"] = rounded(statistics.median(theirs))
        made["ratio"] = rounded(made["peer_seconds"] / made["seconds"]) if made["seconds"] > 0 else None
    return made


def rounded(x):
    return float(f"{x:.4g}")


def span(seconds):
    """
    >>> [span(s) for s in (75.2, 1.5, 0.0452, 0.000231, 4.5e-8)]
    ['75.2 s', '1.50 s', '45.2 ms', '231 µs', '45.0 ns']
    """
    for unit, size in (("s", 1), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{three(seconds / size)} {unit}"
    return f"{three(seconds / 1e-9)} ns"


def three(x):
    """Three digits.

    >>> [three(x) for x in (0.4213, 1.049, 12.34, 3016.4)]
    ['0.42', '1.05', '12.3', '3016']
    """
    return f"{x:.2f}" if x < 10 else f"{x:.1f}" if x < 100 else f"{x:.0f}"


def wanted(goal):
    """
    >>> wanted({"ratio": 10}), wanted({"seconds": 0.01}), wanted(None)
    ('≥ 10×', '≤ 10.0 ms', '')
    """
    if not goal:
        return ""
    return f"≥ {goal['ratio']:g}×" if "ratio" in goal else f"≤ {span(goal['seconds'])}"


def verdict(row):
    """
    >>> verdict({"seconds": 2, "ratio": 9.9, "goal": {"ratio": 10}}), verdict({"seconds": 2, "goal": {"seconds": 20}})
    ('missed', 'met')
    >>> verdict({"seconds": 2, "goal": {"ratio": 10}}), verdict({"not_run": "no GPU", "goal": {"ratio": 1}}), verdict({"seconds": 2})
    ('not measured', 'not measured', '')
    """
    goal = row.get("goal")
    if not goal:
        return ""
    reached = row.get("ratio") if "ratio" in goal else row.get("seconds")
    if reached is None:
        return "not measured"
    met = reached >= goal["ratio"] if "ratio" in goal else reached <= goal["seconds"]
    return "met" if met else "missed"


HEAD = "| work | cpsd | peer | ratio | goal | MB cpsd / peer | result, or of how many |\n|---|---|---|---|---|---|---|"


def line(row):
    """A row of the table.

    >>> line(row("a", "sums", [2], "numpy", [1], {"ratio": 3}, [10, 20], "of 5"))
    '| sums | 2.00 s | numpy: 1.00 s | 0.50× | **missed**: ≥ 3× | 10 / 20 | of 5 |'
    >>> line(row("a", "sums", [2], None, (), {"seconds": 3}, [10]))
    '| sums | 2.00 s | | | met: ≤ 3.00 s | 10 | |'
    >>> line({"id": "a", "what": "sums", "not_run": "no GPU | here", "goal": {"ratio": 3}})
    '| sums | not run: no GPU / here | | | not measured: ≥ 3× | | |'
    """
    if "not_run" in row:
        ours, theirs = f"not run: {row['not_run']}", row.get("peer", "")
    else:
        ours, theirs = span(row["seconds"]), row.get("peer", "")
        if "peer_seconds" in row:
            theirs += f": {span(row['peer_seconds'])}"
        elif "peer_not_run" in row:
            theirs += f": not run: {row['peer_not_run']}"
    ratio = row.get("ratio")
    said = verdict(row)
    goal = f"{'**missed**' if said == 'missed' else said}: {wanted(row['goal'])}" if said else ""
    memory = " / ".join("–" if m is None else f"{m:.0f}" for m in row.get("memory") or [])
    cells = [row["what"], ours, theirs, "" if ratio is None else f"{three(ratio)}×", goal, memory, row.get("note", "")]
    cells = [" ".join(cell.replace("|", "/").split()) for cell in cells]
    return "|" + "|".join(f" {cell} " if cell else " " for cell in cells) + "|"


def same_machine(a, b):
    """Figures of another processor or of another number of cores say nothing about what became slower.

    >>> same_machine({"cpu": "A", "cores": 2, "busy": 0}, {"cpu": "A", "cores": 2}), same_machine({"cpu": "A", "cores": 2}, {"cpu": "A", "cores": 4})
    (True, False)
    """
    return all(a.get(key) == b.get(key) for key in ("cpu", "cores"))


def compared(old, new):
    """The rows of a suite that cpsd does more than a tenth slower, or with more than a tenth more memory, than on the last page, as texts.

    >>> machine = {"cpu": "A", "cores": 2}
    >>> old = {"date": "2026-01-01", "machine": machine, "rows": [row("a", "sums", [2]), row("b", "roots", [2])]}
    >>> new = {"date": "2026-01-02", "machine": machine, "rows": [row("a", "sums", [2.1]), row("b", "roots", [3]), row("c", "new", [1])]}
    >>> compared(old, new)
    ['roots: 3.00 s, 2.00 s on 2026-01-01 (1.50×)']
    >>> compared(old | {"rows": [row("a", "sums", [2], memory=[100, 90])]}, new | {"rows": [row("a", "sums", [2], memory=[120, 90])]})
    ['sums: 120 MB, 100 MB on 2026-01-01 (1.20×)']
    >>> compared(old | {"machine": {"cpu": "B", "cores": 2}}, new), compared(None, new)
    (['nothing is compared: the page before is of B, 2 cores'], [])
    """
    if not old:
        return []
    if not same_machine(old["machine"], new["machine"]):
        return [f"nothing is compared: the page before is of {old['machine']['cpu']}, {old['machine']['cores']} cores"]
    before = {row["id"]: row for row in old["rows"]}
    found = []
    for now in new["rows"]:
        was = before.get(now["id"], {})
        megabytes = [(row.get("memory") or [None])[0] for row in (now, was)]
        for here, before_it, written in [
            (now.get("seconds"), was.get("seconds"), span),
            (*megabytes, lambda megabytes: f"{megabytes:.0f} MB"),
        ]:
            if here and before_it and here > SLOWER * before_it:
                text = f"{now['what']}: {written(here)}, {written(before_it)} on {old['date']} ({three(here / before_it)}×)"
                # Rows of several peers share cpsd's figure.
                found += [text] if text not in found else []
    return found


def merged(figures, measured):
    """The figures of a page after a run of some suites; the others stay as they are.

    >>> machine = {"cpu": "A", "cores": 2}
    >>> old = {"load": {"date": "1", "machine": machine, "rows": [row("a", "sums", [1])]}, "graph": {"date": "1", "machine": machine, "rows": []}}
    >>> new = merged(old, {"load": {"date": "2", "machine": machine, "rows": [row("a", "sums", [2])]}})
    >>> new["graph"]["date"], new["load"]["date"], new["load"]["slower"]
    ('1', '2', ['sums: 2.00 s, 1.00 s on 1 (2.00×)'])

    A suite that failed leaves its figures of before, if there are any:

    >>> failed = merged(old, {"load": {"date": "2", "machine": machine, "rows": [], "not_run": "no room"}})
    >>> failed["load"]["date"], len(failed["load"]["rows"])
    ('1', 1)
    """
    made = dict(figures)
    for name, suite in measured.items():
        if "not_run" in suite and name in figures:
            continue
        made[name] = suite | {"slower": compared(figures.get(name), suite)}
    return {name: made[name] for name in SUITES if name in made}


def page(figures):
    """The page as Markdown.

    >>> machine = {"cpu": "A", "cores": 2, "libtorch": "2.13.0", "busy": 1.5}
    >>> suite = {"date": "2026-01-02", "machine": machine, "rows": [row("a", "sums", [2], "numpy", [1], {"ratio": 3})], "slower": ["sums: slow"]}
    >>> text = page({"graph": suite})
    >>> "1 goal: 0 met, **1 missed**." in text, "- sums (peer: numpy): 0.50×, the goal is ≥ 3×" in text, "- sums: slow" in text
    (True, True, True)
    >>> "Measured on 2026-01-02: A, 2 cores, libtorch 2.13.0. **Other programs kept 1.50 cores busy.**" in text
    True
    >>> "Not measured yet: load, language" in text, "No figures" in page({})
    (True, True)
    """
    out = [
        "# Benchmarks",
        "",
        "`make bench-all` measures all of this and writes this page and its figures, [benchmarks.json](benchmarks.json) (an hour and a"
        " half on two idle cores); `make bench-all ONLY=load,language` measures a part and leaves the rest as it is. Every repeat of a"
        " peer runs right after one of cpsd, in a process of its own, so that a slow minute hits both; figures are medians, and a"
        " ratio above 1 says that cpsd is faster. Memory is the most that the process held. GPUs are not measured here"
        " ([gpu.md](gpu.md)).",
        "",
    ]
    if not figures:
        return "\n".join(out + ["No figures yet: nothing has been measured for this page.", ""])
    rows = [row for suite in figures.values() for row in suite["rows"]]
    verdicts = [verdict(row) for row in rows]
    met, missed, unknown = (verdicts.count(v) for v in ("met", "missed", "not measured"))
    counts = [f"{met} met", f"**{missed} missed**" if missed else "none missed"] + ([f"{unknown} not measured"] if unknown else [])
    total = met + missed + unknown
    out += [f"{total} goal{'s' if total != 1 else ''}: {', '.join(counts)}.{' Missed:' if missed else ''}", ""]
    for row, said in zip(rows, verdicts):
        if said == "missed":
            reached = f"{three(row['ratio'])}×" if "ratio" in row["goal"] else span(row["seconds"])
            peer = f" (peer: {row['peer']})" if "ratio" in row["goal"] else ""
            out.append(f"- {row['what']}{peer}: {reached}, the goal is {wanted(row['goal'])}")
    out += [""] if missed else []
    # Of another machine each suite says the same.
    slower = list(dict.fromkeys(text for suite in figures.values() for text in suite.get("slower", [])))
    if slower:
        out += ["Slower than on the page before, or with more memory, by more than 10 %:", ""] + [f"- {text}" for text in slower] + [""]
    stopped = [name for name, suite in figures.items() if suite.get("not_run")]
    if stopped:
        out += [f"Not run, or not to the end, for reasons that are said below: {', '.join(stopped)}.", ""]
    without = [name for name in SUITES if name not in figures]
    if without:
        out += [f"Not measured yet: {', '.join(without)}.", ""]
    for name, suite in figures.items():
        title, text = SUITES[name]
        out += [f"## {title}", "", f"`make bench-all ONLY={name}`. {text}", "", when(suite), ""]
        if suite.get("not_run"):
            out += [f"{'The rest was n' if suite['rows'] else 'N'}ot run: {suite['not_run']}", ""]
        if suite["rows"]:
            out += [HEAD] + [line(row) for row in suite["rows"]] + [""]
    return "\n".join(out)


def when(suite):
    """
    >>> when({"date": "2026-01-02", "machine": {"cpu": "A", "cores": 1, "libtorch": "2.13.0 for the CPU", "busy": 0.01}})
    'Measured on 2026-01-02: A, 1 core, libtorch 2.13.0 for the CPU.'
    """
    machine = suite["machine"]
    cores = f"{machine['cores']} core{'s' if machine['cores'] != 1 else ''}"
    text = f"Measured on {suite['date']}: {machine['cpu']}, {cores}, libtorch {machine['libtorch']}."
    if machine.get("busy", 0) > 0.2:
        text += f" **Other programs kept {machine['busy']:.2f} cores busy.**"
    return text


def shown(as_json):
    """What prints rows as they come: for bench_all.py, or as a table for people."""
    if not as_json:
        print(HEAD)
    return lambda row: print(json.dumps(row) if as_json else line(row), flush=True)
