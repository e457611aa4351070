"""The run store, read from its files: nothing is computed, and no program is run."""

import json
import os
import re
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

_ID = re.compile(r"[a-z]+-[0-9a-f]{12}")
COLUMNS = ["id", "name", "tags", "data", "model", "k", "seed", "val_mAP", "test_mAP", "labels", "epochs", "seconds", "date"]


def store_folder(store=None):
    """The folder of the run store: the one given, CPSD_RUNS, or runs/ here. Errors: it is not there."""
    folder = Path(store or os.environ.get("CPSD_RUNS") or "runs")
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no run store {folder}: give its folder, or set CPSD_RUNS")
    return folder


def _json(path):
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}; `cpsd runs verify` tells more") from None


@dataclass(frozen=True)
class Run:
    """A finished run: its id and folder."""

    id: str
    path: Path

    @property
    def spec(self):
        """Everything that decided the run."""
        return _json(self.path / "spec.json") or {}

    @property
    def summary(self):
        """Its results."""
        return _json(self.path / "summary.json") or {}

    @property
    def metrics(self):
        """One dict per epoch."""
        file = self.path / "metrics.jsonl"
        return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []


def _finished(folder):
    return [Run(path.name, path) for path in sorted(folder.iterdir()) if _ID.fullmatch(path.name) and (path / "summary.json").exists()]


def _notes(folder):
    """The notes of each run by kind, oldest first."""
    notes = {}
    place = folder / ".notes"
    for path in sorted(place.iterdir()) if place.is_dir() else []:
        found = re.fullmatch(rf"({_ID.pattern})\.(named|score)-[0-9a-f]+\.json", path.name)
        if found:
            notes.setdefault(found[1], {}).setdefault(found[2], []).append(_json(path) or {})
    for kinds in notes.values():
        for listed in kinds.values():
            listed.sort(key=lambda note: note.get("date", ""))
    return notes


def _local(date):
    try:
        return datetime.fromisoformat(date.replace("Z", "+00:00")).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except ValueError:
        return date


def _row(run, notes):
    spec, summary = run.spec, run.summary
    options, data = spec.get("options") or {}, (spec.get("data") or {}).get("name")
    model = options.get("model") or {}
    named, own = notes.get("named", []), summary.get("name")
    name = next((note["name"] for note in reversed(named) if note.get("name")), own or run.id)
    # Each once, in the order of the calls.
    tags = dict.fromkeys([*(summary.get("tags") or []), *(tag for note in named for tag in note.get("tags", []))])
    tests = [note for note in notes.get("score", []) if note.get("split") == "test" and note.get("data") == data]
    test = max(tests, key=lambda note: (note.get("images", 0), note.get("date", "")), default={})
    # A teacher's name says the size of the partition that it is of: "co teacher 2/4".
    k = re.fullmatch(r"(?:.* )?teacher \d+/(\d+)", own or "")
    date = summary.get("date") or datetime.fromtimestamp((run.path / "summary.json").stat().st_mtime, timezone.utc).isoformat()
    return [
        run.id, name, ", ".join(tags) or None, data, f"{model['backbone']} + {model['head']}" if model else None,
        int(k[1]) if k else None, options.get("seed"), summary.get("val_mAP"), test.get("mAP"), summary.get("labels"),
        summary.get("epochs"), summary.get("seconds"), _local(date),
    ]


def runs(store=None, frame="pandas"):
    """The finished runs, oldest first, as a DataFrame with the columns of the word `runs()`.

    store: the folder; without it CPSD_RUNS, or runs/ here. frame: "pandas", "polars", or "rows" for a list of dicts, which needs neither.
    """
    if frame not in ("pandas", "polars", "rows"):
        raise ValueError(f'frame must be "pandas", "polars" or "rows"; got {frame!r}')
    folder = store_folder(store)
    notes = _notes(folder)
    dated = sorted(((run.summary.get("date") or "", run.id, run) for run in _finished(folder)), key=lambda row: row[:2])
    rows = [_row(run, notes.get(run.id, {})) for _, _, run in dated]
    if frame == "rows":
        return [dict(zip(COLUMNS, row)) for row in rows]
    if frame == "polars":
        import polars

        return polars.DataFrame(rows, schema=COLUMNS, orient="row", infer_schema_length=None)
    import pandas

    table = pandas.DataFrame(rows, columns=COLUMNS)
    # Whole numbers stay whole where some are absent.
    whole, real = ["k", "seed", "labels", "epochs"], ["val_mAP", "test_mAP", "seconds"]
    return table.astype({name: "Int64" for name in whole} | {name: "float64" for name in real})


def find(run, store=None):
    """A run by its id, the beginning of its id, its name, its folder, or a file in it.

    Errors: none, or several.
    """
    if isinstance(run, Run):
        return run
    path = Path(run)
    if path.is_file():
        path = path.parent
    if path.is_dir() and (path / "summary.json").exists():
        return Run(path.name, path)
    folder = store_folder(store)
    finished = _finished(folder)
    found = [known for known in finished if known.id.startswith(str(run))]
    if not found:
        ids = [row["id"] for row in runs(folder, frame="rows") if row["name"] == str(run)]
        found = [known for known in finished if known.id in ids]
    if len(found) == 1:
        return found[0]
    if not found:
        raise KeyError(f'unknown run "{run}" in {folder}: cpsd.runs("{folder}") lists ids and names')
    raise KeyError(f'"{run}" means {len(found)} runs: {", ".join(known.id for known in found[:8])}; give the id of one')
