"""Tries the installed wheel: python setup/wheel_test.py FILE.whl"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import cpsd
import numpy
from cpsd import _program

BIN = Path(sys.executable).parent
CPSD = BIN / "cpsd"
SITE = Path(cpsd.__file__).parent.parent
DATA = 'dataset("emoji-scenes", #{train: 24, val: 8, test: 8, test_shifted: 8, size: 32})'


def run(*words, code=0, **options):
    done = subprocess.run([CPSD, *map(str, words)], capture_output=True, text=True, **options)
    assert done.returncode == code, (words, done.returncode, done.stdout, done.stderr)
    return done.stdout + done.stderr


def the_tag_is_true(wheel):
    # auditwheel names the oldest system on which all but libtorch is there.
    with tempfile.TemporaryDirectory() as folder:
        excluded = ["--exclude", "libtorch_cpu.so", "--exclude", "libc10.so"]
        path = f"{BIN}:{os.environ['PATH']}"
        subprocess.run([BIN / "auditwheel", "repair", *excluded, "-w", folder, wheel], check=True, capture_output=True, env={"PATH": path})
        assert [file.name for file in Path(folder).iterdir()] == [Path(wheel).name]


def the_program_finds_libtorch():
    assert f"libtorch  2.13.0 for the CPU, {SITE}/" in run("--version")
    # By itself too, as worker processes and the queue start it.
    alone = subprocess.run([_program.PROGRAM, "eval", "1 + 1"], capture_output=True, text=True, env={})
    assert alone.stdout == "2\n", alone
    # Another libtorch in LD_LIBRARY_PATH does not come before it.
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "libtorch_cpu.so").write_text("no library")
        assert run("eval", "1 + 1", env={"LD_LIBRARY_PATH": folder}) == "2\n"


def another_torch_is_told():
    find, version = _program.importlib.util.find_spec, _program.importlib.metadata.version
    try:
        _program.importlib.util.find_spec = lambda name: None
        assert "needs torch 2.13.0, and this Python has none" in error(_program.environment)
        _program.importlib.util.find_spec = find
        _program.importlib.metadata.version = lambda name: "2.12.0+cpu"
        assert "was built for torch 2.13.0, and torch 2.12.0+cpu is here" in error(_program.environment)
    finally:
        _program.importlib.util.find_spec, _program.importlib.metadata.version = find, version


def error(call, *words, kind=cpsd.CpsdError, **options):
    try:
        call(*words, **options)
    except kind as caught:
        return str(caught)
    raise AssertionError("no error came")


def commands():
    assert "cpsd script train.rhai" in run("new", "project")
    assert sorted(os.listdir("project")) == ["cpsd.toml", "labels.csv", "library.rhai", "train.rhai"]
    assert "is not empty (cpsd.toml is there)" in run("new", "project", code=1)
    assert "without a mistake" in run("check", "project/train.rhai", "project/library.rhai")
    assert "2 passed" in run("test", "project/library.rhai")
    said = run("script", "train.rhai", "epochs=1", "train=16", cwd="project")
    assert "appear together: book, cat, chair, lamp, sofa, tv" in said and "mAP" in said, said
    listed = run("examples")
    assert "label_graph.rhai" in listed and "scripts/quickstart.rhai" in listed
    run("examples", "copies/")
    copies = {str(path.relative_to("copies")) for path in Path("copies").rglob("*.rhai")}
    assert {"tables.rhai", "heads/csra.rhai", "scripts/quickstart.rhai"} <= copies
    run("script", "tables.rhai", cwd="copies")
    assert 'did you mean "epochs"' in run("quickstart", "epoch=1", code=2)


def the_quick_start_runs_with_weights_of_the_package():
    home = Path("home").resolve()
    home.mkdir()
    environment = {"HOME": str(home), "PATH": os.environ["PATH"], "HF_HUB_OFFLINE": "1"}
    said = run("quickstart", "epochs=1", "teacher_epochs=1", "train=40", "k=2", env=environment)
    assert (home / ".cache/cpsd/weights/efficientnet_lite0.pth").exists() and "CPSD" in said, said
    assert Path("out/learning_curves.png").exists()


def the_module():
    value = cpsd.eval('print("said"); #{a: [1, 2.5, true, ()], t: table([#{k: 1}], ["k"]), x: tensor([[1.0, 2.0]])}')
    assert value == {"a": [1, 2.5, True, None], "t": [{"k": 1}], "x": [[1.0, 2.0]]}, value
    assert cpsd.eval("let x = 1;") is None
    assert "nothing_of_this_name" in error(cpsd.eval, "nothing_of_this_name(1)")
    assert "has no form in JSON" in error(cpsd.eval, "|x| x")
    training = f"""let data = {DATA};
let m = train_teacher(data, data.train.names, #{{model: #{{backbone: "small_cnn", head: "csra", image_size: 32}}, epochs: 1, batch: 8,
    name: "small", tags: ["a", "b"]}});
let e = evaluate(m, data.test);
m.id"""
    run_id = cpsd.eval(training, store="runs")
    table = cpsd.runs("runs")
    assert list(table["id"]) == [run_id] and table["name"][0] == "small" and table["tags"][0] == "a, b", table
    # As the language has it.
    ours, theirs = cpsd.runs("runs", frame="rows"), cpsd.eval("runs().rows", store="runs")
    assert ours == theirs, (ours, theirs)
    assert cpsd.find("small", "runs") == cpsd.find(run_id[:9], "runs") and cpsd.find("small", "runs").metrics[0]["epoch"] == 1
    assert "unknown run" in error(cpsd.find, "large", "runs", kind=KeyError)
    assert "no run store nowhere" in error(cpsd.runs, "nowhere", kind=FileNotFoundError)
    came = cpsd.predictions("small", DATA, split="test", store="runs")
    assert came.scores.shape == came.targets.shape == (8, len(came.labels)) and len(came.images) == 8
    best = cpsd.eval(f'let p = predict(run("{run_id}").model, {DATA}.test); p.top(0, 1)[0]', store="runs")
    assert best["label"] == came.labels[came.scores[0].argmax()] and abs(best["score"] - came.scores[0].max()) < 1e-6
    assert set(numpy.unique(came.targets)) <= {0.0, 1.0}
    assert cpsd.features("small", DATA, store="runs").shape == (8, 192)
    assert cpsd.features("small", DATA, stage=1, pool=False, store="runs").shape == (8, 32, 16, 16)


def main():
    _, wheel = sys.argv
    wheel = Path(wheel).resolve()
    assert re.search(r'torch==([0-9.]+)"', (Path(__file__).parent.parent / "pyproject.toml").read_text())[1] == _program.TORCH
    folder = Path(tempfile.mkdtemp(prefix="cpsd-wheel-"))
    os.chdir(folder)
    os.environ.pop("CPSD_RUNS", None)
    tests = [lambda: the_tag_is_true(wheel), the_program_finds_libtorch, another_torch_is_told, commands, the_module,
             the_quick_start_runs_with_weights_of_the_package]
    for test in tests:
        test()
        print("== wheel:", test.__name__.replace("<lambda>", "the_tag_is_true").replace("_", " "))
    shutil.rmtree(folder)


main()
