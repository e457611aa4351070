"""The program: where it is, which libtorch it takes, and how it is run. torch is not imported: that takes seconds."""

import importlib.metadata
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

# That of pyproject.toml.
TORCH = "2.13.0"
PROGRAM = Path(__file__).resolve().parent / "bin" / "cpsd"


class CpsdError(RuntimeError):
    """What the program said on standard error before it failed."""


def _libtorch():
    """The folder of libtorch in torch's package. Errors: it is absent, or has another version."""
    spec = importlib.util.find_spec("torch")
    if spec is None or not spec.submodule_search_locations:
        raise CpsdError(f"cpsd needs torch {TORCH}, and this Python has none: pip install torch=={TORCH}")
    for place in spec.submodule_search_locations:
        folder = Path(place) / "lib"
        if (folder / "libtorch_cpu.so").exists():
            break
    else:
        raise CpsdError(f"torch in {place} has no lib/libtorch_cpu.so: pip install torch=={TORCH}")
    try:
        version = importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        version = TORCH
    if version.split("+")[0] != TORCH:
        raise CpsdError(f"cpsd was built for torch {TORCH}, and torch {version} is here: pip install torch=={TORCH}")
    return folder


def environment():
    """The variables with which the program finds libtorch: none more, where torch lies beside this package."""
    folder, variables = _libtorch(), dict(os.environ)
    beside = PROGRAM.parent.parent.parent / "torch" / "lib"
    given = variables.get("LD_LIBRARY_PATH", "")
    others = [path for path in given.split(":") if path and (Path(path) / "libtorch_cpu.so").exists()]
    # What LD_LIBRARY_PATH names comes before the program's own path.
    if others or not (beside.exists() and beside.samefile(folder)):
        variables["LD_LIBRARY_PATH"] = f"{folder}:{given}" if given else str(folder)
    return variables


def run(arguments, text=None, cwd=None):
    """Runs the program to its end and returns its standard output; progress goes to this process's standard error.

    Errors: CpsdError with what it said, where it fails.
    """
    done = subprocess.run(
        [str(PROGRAM), *arguments], env=environment(), cwd=cwd, input=text, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    if done.returncode != 0:
        raise CpsdError(done.stderr.strip() or f"cpsd ended with exit code {done.returncode}")
    sys.stderr.write(done.stderr)
    return done.stdout


def main():
    """The command `cpsd`: this process becomes the program."""
    try:
        variables = environment()
    except CpsdError as error:
        sys.exit(f"cpsd: {error}")
    os.execve(PROGRAM, ["cpsd", *sys.argv[1:]], variables)
