"""Values of the language in Python: the program computes them and writes what is large as .npz."""

import json
import tempfile
from pathlib import Path
from typing import NamedTuple

from ._program import run as _program
from ._store import find

# The kernel's bound of one argument, with room.
_LONGEST = 120_000


def _text(value):
    """A string of the language."""
    return json.dumps(str(value), ensure_ascii=False)


def eval(script, store=None, cwd=None):
    """Runs a text of the language and returns its last value: numbers, texts, lists, dicts, None; a Table is a list of dicts, a Tensor a
    list of lists. What the text prints is printed.

    store: the folder of the run store. cwd: the folder in which it runs.
    Errors: CpsdError with the program's own words; among them a value without a form in JSON.
    """
    if len(script.encode()) > _LONGEST:
        raise ValueError(f"the text has {len(script.encode())} bytes; at most {_LONGEST} are passed on. `cpsd script FILE` runs a file")
    options = ["--runs", str(store)] if store else []
    out = _program([*options, "eval", "--json", "--", script], cwd=cwd)
    *printed, value = out.rstrip("\n").split("\n")
    for line in printed:
        print(line)
    return json.loads(value)


class Predictions(NamedTuple):
    """Probabilities [N, m] and targets [N, m] (1, 0, or -1 for unknown) as float32 arrays, with the names of rows and columns."""

    scores: "numpy.ndarray"
    targets: "numpy.ndarray"
    images: list
    labels: list


def _arrays(run, store, body):
    """Runs `body`, which has the model in `m` and saves what it wants to the file `file`; the arrays and the value."""
    import numpy

    found = find(run, store)
    with tempfile.TemporaryDirectory(prefix="cpsd-python-") as folder:
        file = Path(folder).resolve() / "arrays.npz"
        model = found.path.resolve() / "model.safetensors"
        value = eval(f"let m = load_model({_text(model)}); let file = {_text(file)};\n{body}", store=found.path.resolve().parent)
        with numpy.load(file) as arrays:
            return dict(arrays), value


def predictions(run, data, split="test", store=None):
    """What a run's model predicts for a split of a data set, as NumPy arrays.

    data: a text of the language that gives the data set, as 'dataset("emoji-scenes", #{train: 200})'; a run does not keep the options with
    which its data set was opened. split: one of its splits.
    """
    body = f"""let d = {data}; d = if d.type_of() == "map" {{ d[{_text(split)}] }} else {{ d }};
let p = predict(m, d);
save_tensors(#{{scores: p.scores, targets: d.take_labels(m.labels).targets}}, file);
#{{images: p.images, labels: p.labels}}"""
    arrays, names = _arrays(run, store, body)
    return Predictions(arrays["scores"], arrays["targets"], names["images"], names["labels"])


def features(run, data, split="test", stage=None, pool=True, store=None):
    """The output of a stage of a run's backbone for a split of a data set: [N, C], or [N, C, h, w] without `pool`.

    stage: from 1; the last one without it. data and split: as in `predictions`.
    """
    where = f"d, {int(stage)}" if stage is not None else "d"
    body = f"""let d = {data}; d = if d.type_of() == "map" {{ d[{_text(split)}] }} else {{ d }};
save_tensors(#{{features: m.features({where}, #{{pool: {"true" if pool else "false"}}})}}, file);"""
    return _arrays(run, store, body)[0]["features"]
