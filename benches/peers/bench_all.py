"""Runs every benchmark beside its peer and writes docs/benchmarks.md and its figures: make bench-all

    python3 benches/peers/bench_all.py [--only load,language] [--cpsd PROGRAM] [--page FILE.md] [--quick]

Nothing but the standard library of Python. What needs more (the peers' packages, the benches' programs) is made by make, and where
that fails, the page says what was not run. Both files are replaced when all is done: interrupted, it leaves them as they were.
"""

import argparse
import contextlib
import datetime
import glob
import json
import os
import platform
import re
import signal
import subprocess
import sys
import tempfile
import time

import page

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HERE = os.path.join(ROOT, "benches", "peers")

# Goals of criterion's benches, in seconds.
GOALS = {
    "Tab after a name's beginning": 0.02,
    "Tab after a chained receiver": 0.02,
    "Tab inside an option's map": 0.02,
    "a line that does next to nothing": 0.001,
}


class Failed(Exception):
    """Why the rest of a suite is not run."""


def lines(command, **more):
    """The lines that a command prints. Whatever ends this ends the command and all that it started."""
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True, cwd=ROOT, **{"stderr": said} | more)
        try:
            yield from process.stdout
            process.wait()
        finally:
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGTERM)
                try:
                    process.wait(5)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
        if process.returncode:
            said.seek(0)
            words = said.read()
            print(words, file=sys.stderr)
            raise Failed(reason(words.splitlines(), f"it ended with {process.returncode}"))


def reason(words, otherwise):
    # make's own last words only say that something failed.
    said = [line.strip() for line in words if line.strip() and not line.startswith("make")]
    return said[-1] if said else otherwise


def shown(command, **more):
    """Runs a command whose progress people see meanwhile, as they see that of compilers."""
    print(f"== {' '.join(command)}", file=sys.stderr, flush=True)
    words = []
    try:
        for line in lines(command, stderr=subprocess.STDOUT, **more):
            words.append(line)
            print(line, end="", file=sys.stderr, flush=True)
    except Failed as error:
        raise Failed(reason(words, error)) from None


def make(options, target):
    try:
        shown(["make", "-s", target, f"PEERS={options.peers}"])
    except Failed as error:
        raise Failed(f"`make {target}` failed: {error}") from None


def built(options, bench):
    """The path of a bench's program."""
    make(options, f"bench-built-{bench}")
    with open(os.path.join(ROOT, options.peers, "built", bench)) as file:
        path = file.read().strip()
    if not os.path.exists(path):
        raise Failed(f"cargo built no program of the bench {bench}")
    return path


def python(options, target, venv):
    """A Python that has the peers. Without them the peers' rows say what is missing."""
    try:
        make(options, target)
    except Failed as error:
        print(f"== {error}", file=sys.stderr)
    found = os.path.join(ROOT, options.peers, venv, "bin", "python")
    return found if os.path.exists(found) else sys.executable


def own(name):
    def command(options):
        rhai = []
        if name == "language":
            try:
                rhai = ["--rhai", built(options, "rhai_alone")]
            except Failed as error:
                print(f"== {error}", file=sys.stderr)
        quick = ["--quick"] if options.quick else []
        return [sys.executable, os.path.join(HERE, "program.py"), name, options.cpsd, "--json"] + rhai + quick

    return lambda options: rows(command(options))


def rows(command):
    for line in lines(command):
        if line.startswith("{"):
            yield json.loads(line)


def peers(options):
    binary = built(options, "peers")
    folder = os.path.join(options.peers, "small" if options.quick else "data")
    command = [python(options, "peers-python", "venv"), os.path.join(HERE, "run.py"), binary, folder, "--json"]
    return rows(command + (["--small"] if options.quick else []))


def training(tasks):
    def suite(options):
        frozen = ["--frozen", built(options, "frozen_features")] if tasks == "frozen" else []
        binary = "-" if frozen else built(options, "training")
        # 240 pictures, as in docs/results/speed.md.
        quick = ["--images", "32", "--repeats", "1"] if options.quick else ["--images", "240"]
        command = [python(options, "training-python", "torch"), os.path.join(HERE, "training.py"), binary]
        return rows(command + [os.path.join(options.peers, "pictures"), "--json", "--tasks", tasks] + frozen + quick)

    return suite


def criterion(bench):
    """Its medians, which it keeps itself; what it kept of earlier runs stays beside them."""

    def suite(options):
        home = os.path.join(ROOT, "target", "bench-all", "criterion")
        # The clock of files may be some milliseconds behind.
        begun = time.time() - 1
        quick = ["--", "--quick"] if options.quick else []
        shown(["cargo", "bench", "--bench", bench] + quick, env=os.environ | {"CRITERION_HOME": home})
        made = [path for path in glob.glob(f"{home}/**/new/estimates.json", recursive=True) if os.path.getmtime(path) >= begun]
        for path in sorted(made, key=os.path.getmtime):
            with open(path) as file:
                seconds = json.load(file)["median"]["point_estimate"] / 1e9
            with open(os.path.join(os.path.dirname(path), "benchmark.json")) as file:
                about = json.load(file)
            what = about.get("function_id") or about["group_id"]
            goal = {"seconds": GOALS[what]} if what in GOALS else None
            yield page.row(about["full_id"], what, [seconds], goal=goal)

    return suite


SUITES = {
    "load": own("load"),
    "language": own("language"),
    "startup": own("startup"),
    "prompt": criterion("prompt"),
    "graph": criterion("graph"),
    "peers": peers,
    "frozen": training("frozen"),
    "training": training("input,step,epoch,ablation,sweep"),
}


def jiffies():
    """What all cores did, and what of it was waiting."""
    with open("/proc/stat") as file:
        numbers = [int(word) for word in file.readline().split()[1:]]
    return sum(numbers[:8]), numbers[3] + numbers[4]


def busy_cores():
    """How many cores are busy at this moment."""
    (all_before, idle_before), _ = jiffies(), time.sleep(2)
    all_after, idle_after = jiffies()
    busy = 1 - (idle_after - idle_before) / max(all_after - all_before, 1)
    return round(busy * (os.cpu_count() or 1), 2)


def machine(options):
    """What the figures depend on, and how many cores other programs keep busy at this moment."""
    with open("/proc/cpuinfo") as file:
        cpu = re.search(r"^model name\s*: (.*)$", file.read(), re.M)
    try:
        version = subprocess.run([options.cpsd, "--version"], capture_output=True, text=True, timeout=60).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        sys.exit(f"bench-all: {options.cpsd} does not run ({error}); `make build` makes it")
    libtorch = re.search(r"^libtorch\s+([^,\n]*)", version, re.M)
    return {
        "cpu": cpu.group(1) if cpu else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "libtorch": libtorch.group(1) if libtorch else "of unknown version",
        "busy": busy_cores(),
    }


def measured(options, name):
    suite = {"date": datetime.date.today().isoformat(), "machine": machine(options), "rows": []}
    print(f"\n== {page.SUITES[name][0]} ({name})\n{page.when(suite)}\n\n{page.HEAD}", flush=True)
    try:
        with contextlib.closing(SUITES[name](options)) as made:
            for row in made:
                # The page is for every machine: no paths of this one.
                row |= {key: row[key].replace(ROOT + "/", "") for key in ("not_run", "peer_not_run") if key in row}
                suite["rows"].append(row)
                print(page.line(row), flush=True)
    except (Failed, OSError) as error:
        suite["not_run"] = str(error).replace(ROOT + "/", "")
        print(f"not run: {suite['not_run']}")
    # Another program may have begun since.
    suite["machine"]["busy"] = max(suite["machine"]["busy"], busy_cores())
    return suite


def figures_of(path):
    if not os.path.exists(path):
        return {}
    with open(path) as file:
        return json.load(file)


def replaced(path, text):
    """Written beside, then renamed: a file is the old one or the new one."""
    with open(path + ".new", "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(path + ".new", path)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="", help=f"of {', '.join(SUITES)}, with commas")
    parser.add_argument("--cpsd", default=os.path.join(ROOT, "target", "release", "cpsd"))
    parser.add_argument("--peers", default="target/peers", help="where the peers' packages and data are")
    parser.add_argument("--page", help="in place of docs/benchmarks.md; the figures are in a .json beside it")
    parser.add_argument("--quick", action="store_true", help="little of everything, to see that it runs; the page is target/bench-all/quick.md")
    parser.add_argument("--render", action="store_true", help="only write the page of the figures anew")
    parser.add_argument("--check", action="store_true", help="only see whether the page is the one of the figures")
    options = parser.parse_args()
    options.cpsd = os.path.abspath(options.cpsd)
    names = [name for name in options.only.split(",") if name] or list(SUITES)
    for name in names:
        if name not in SUITES:
            sys.exit(f"bench-all: there is no benchmark \"{name}\", expected {', '.join(SUITES)}")
    markdown = os.path.abspath(options.page or os.path.join(ROOT, "target/bench-all/quick.md" if options.quick else "docs/benchmarks.md"))
    kept = os.path.splitext(markdown)[0] + ".json"
    figures = figures_of(kept)
    if options.check:
        with open(markdown) as file:
            if file.read() != page.page(figures):
                sys.exit(f"bench-all: {markdown} is not what its figures say: python3 benches/peers/bench_all.py --render writes it")
        return
    if not options.render:
        # As Ctrl-C: what was started is ended.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        figures = page.merged(figures, {name: measured(options, name) for name in names})
    os.makedirs(os.path.dirname(markdown), exist_ok=True)
    replaced(kept, json.dumps(figures, indent=1, ensure_ascii=False) + "\n")
    replaced(markdown, page.page(figures))
    for name in [] if options.render else names:
        for text in figures[name]["slower"]:
            print(f"slower: {text}")
    print(f"\n{os.path.relpath(markdown)} is written")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nbench-all: interrupted; the page is as it was")
