"""Runs, models, predictions and features of cpsd in Python; `cpsd` on the command line is the program itself (docs/python.md)."""

from importlib.metadata import PackageNotFoundError, version

from ._program import CpsdError
from ._store import Run, find, runs
from ._values import Predictions, eval, features, predictions

try:
    __version__ = version("cpsd")
except PackageNotFoundError:
    __version__ = "0"

__all__ = ["CpsdError", "Predictions", "Run", "eval", "features", "find", "load", "predictions", "runs"]


def load(run, store=None, device="cpu"):
    """The model of a run as a torch `nn.Module`, ready to evaluate: see `cpsd._models.load`."""
    # Imported here: torch takes seconds.
    from ._models import load

    return load(run, store=store, device=device)
