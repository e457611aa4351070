"""Measures the program itself: trainings on a busy machine, the language, start-up.

    python benches/peers/program.py load,language,startup CPSD [--rhai RHAI_BINARY] [--json] [--quick]

Prints a table in Markdown, or a row of page.py as JSON per line.
"""

import argparse
import contextlib
import os
import select
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import page

# Whoever measures may have chosen these for himself.
CHOICES = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY", "OMP_NUM_THREADS")
LIMIT = 300


def environment(**more):
    """That of this process, without what decides how libgomp's threads wait."""
    return {k: v for k, v in os.environ.items() if k not in CHOICES} | more


def timed(command, folder, env=None):
    """Seconds and megabytes of a process from its start to its end."""
    with tempfile.TemporaryFile("w+") as said:
        start = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, env=env or environment(), stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        try:
            # Without polling, whose steps would be part of the figure.
            signal.signal(signal.SIGALRM, late)
            signal.alarm(LIMIT)
            _, status, used = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - start
            process.returncode = os.waitstatus_to_exitcode(status)
        finally:
            signal.alarm(0)
            if process.returncode is None:
                process.kill()
                process.wait()
        if process.returncode:
            said.seek(0)
            raise NotRun(f"{os.path.basename(command[0])} ended with {process.returncode}: {last(said.read())}")
    return seconds, used.ru_maxrss / 1024


class NotRun(Exception):
    """Why a row has no figure."""


def late(*_):
    raise NotRun(f"it took longer than {LIMIT} s")


def last(text):
    return next((l.strip() for l in reversed(text.splitlines()) if l.strip()), "no word")


def in_turn(repeats, works):
    """The answers of each work, one repeat of all after the other; for a work that cannot run, why."""
    made = {name: [] for name in works}
    for _ in range(repeats):
        for name, work in works.items():
            if isinstance(made[name], list):
                try:
                    made[name].append(work())
                except (NotRun, OSError) as error:
                    made[name] = str(error)
    return made


# Load


TRAINING = """
let data = dataset("emoji-scenes", #{train: 400, val: 60, test: 60, test_shifted: 60, size: 32});
train_teacher(data, data.train.names, #{epochs: EPOCHS, model: #{backbone: "small_cnn"}});
"""

# It ends by itself where whoever began it is gone, killed for instance.
BUSY = "import os\nparent = os.getppid()\nwhile os.getppid() == parent:\n    for _ in range(1000000): pass"


@contextlib.contextmanager
def busy(processes):
    begun = []
    try:
        for _ in range(processes):
            begun.append(subprocess.Popen([sys.executable, "-c", BUSY]))
        yield
    finally:
        for process in begun:
            process.kill()
        for process in begun:
            process.wait()


def load(options, folder):
    cores = len(os.sched_getaffinity(0))
    script = os.path.join(folder, "training.rhai")
    with open(script, "w") as out:
        out.write(TRAINING.replace("EPOCHS", "1" if options.quick else "4"))

    def train(processes, **more):
        def work():
            with tempfile.TemporaryDirectory(dir=folder) as empty, busy(processes):
                # From an empty store: nothing that an earlier repeat trained is found again.
                return timed([options.cpsd, "script", script], empty, environment(CPSD_RUNS="runs", **more))

        return work

    own = {"GOMP_SPINCOUNT": "300000"}  # what libgomp takes where nothing is said
    made = in_turn(
        1 if options.quick else 3,
        {"idle": train(0), "loaded": train(cores), "own idle": train(0, **own), "own loaded": train(cores, **own)},
    )
    what = f"a training beside {cores} busy process{'es' if cores != 1 else ''}"
    yield sides("load", what, made["loaded"], "itself, idle", made["idle"], {"ratio": 0.4})
    yield sides("load/libgomp", f"{what}, threads waiting as libgomp has it", made["own loaded"], "itself, idle", made["own idle"])
    yield sides("load/idle", "the training idle", made["idle"], "itself as libgomp has it", made["own idle"])


def sides(id, what, ours, peer=None, theirs=None, goal=None, note="", memory=True):
    """A row of answers of `in_turn`."""
    if isinstance(ours, str):
        return {"id": id, "what": what, "peer": peer or "", "goal": goal, "not_run": ours}
    measured = theirs if isinstance(theirs, list) else []
    used = [max(m for _, m in side) if side else None for side in ((ours, measured) if peer else (ours,))] if memory else None
    made = page.row(id, what, [s for s, _ in ours], peer, [s for s, _ in measured], goal, used, note)
    return made | ({"peer_not_run": theirs} if isinstance(theirs, str) else {})


# The language: cpsd's script, CPython's, and Rhai alone's where that has no such word. N is the number of elements. All is done
# ROUNDS times in a process, as often as makes it long beside the time in which a process starts.


class Loop:
    def __init__(self, id, what, n, rounds, cpsd, python, rhai=None):
        self.id, self.what, self.n, self.rounds = id, what, n, rounds
        self.texts = {"cpsd": cpsd, "Rhai alone": rhai or cpsd, "CPython": python}

    def text(self, who, n):
        """As a whole script."""
        body = self.texts[who].replace("N", str(n))
        if who != "CPython":
            return f"for round in 0..{self.rounds} {{ {body} }}"
        inner = "\n".join(f"    {line}" for line in body.splitlines())
        return f"def main():\n{inner}\nfor _ in range({self.rounds}): main()"


MAP = '#{i: i, half: i * 0.5, name: "x"}'
LOOPS = [
    Loop(
        "additions", "an addition in a loop", 1_000_000, 2,
        "let x = 0; for i in 0..N { x += i; } print(x);",
        "x = 0\nfor i in range(N): x += i\nprint(x)",
    ),
    Loop(
        "pushes", "a push onto an array", 100_000, 10,
        "let a = []; for i in 0..N { a.push(i); } print(a.len());",
        "a = []\nfor i in range(N): a.append(i)\nprint(len(a))",
    ),
    Loop(
        "rows", "a row of a table, pushed as a map", 100_000, 2,
        f"let a = []; for i in 0..N {{ a.push({MAP}); }} print(table(a).len());",
        'a = []\nfor i in range(N): a.append({"i": i, "half": i * 0.5, "name": "x"})\nprint(len(a))',
        f"let a = []; for i in 0..N {{ a.push({MAP}); }} print(a.len());",
    ),
    Loop(
        "closures", "a call of a closure by map, and the push before it", 100_000, 5,
        "let k = 3; let a = []; for i in 0..N { a.push(i); } let b = a.map(|x| x * k + 1); print(b.len());",
        "k = 3\na = []\nfor i in range(N): a.append(i)\nb = list(map(lambda x: x * k + 1, a))\nprint(len(b))",
    ),
]


def language(options, folder):
    endings = {"cpsd": "rhai", "Rhai alone": "rhai", "CPython": "py"}
    begin = {"cpsd": [options.cpsd, "script"], "Rhai alone": [options.rhai or "rhai_alone"], "CPython": [sys.executable, "-I", "-S"]}

    def work(who, name, text):
        path = os.path.join(folder, f"{name}.{endings[who]}")
        with open(path, "w") as out:
            out.write(text)

        def run():
            if who == "Rhai alone" and not options.rhai:
                raise NotRun("benches/rhai_alone.rs is not built")
            return timed(begin[who] + [path], folder)

        return run

    for loop in LOOPS:
        n = loop.n // (10 if options.quick else 1)
        works = {}
        for who in loop.texts:
            works[who, 0] = work(who, "empty", "")
            for times in (1, 4):
                works[who, times] = work(who, f"{loop.id}_{who.split()[0]}_{times}", loop.text(who, n * times))
        made = in_turn(1 if options.quick else 5, works)

        def each(who, times):
            """Seconds per element and megabytes, start-up subtracted."""
            empty, full = made[who, 0], made[who, times]
            for answer in (empty, full):
                if isinstance(answer, str):
                    return answer
            start = statistics.median(s for s, _ in empty)
            # Start-up varies: a difference below a thousandth of it is nothing that was measured.
            return [(max(s - start, start * 1e-3) / (n * times * loop.rounds), m) for s, m in full]

        ours = each("cpsd", 4)
        for peer in ("CPython", "Rhai alone"):
            yield sides(f"{loop.id}/{peer}", loop.what, ours, peer, each(peer, 4), note=f"{4 * n:,}")
        # Quadratic would be 0.25; what is left allows for caches.
        linear = {"ratio": 0.67}
        yield sides(f"{loop.id}/growth", f"{loop.what}, at 4n", ours, "itself at n", each("cpsd", 1), linear, f"{4 * n:,} and {n:,}")


# Start-up


def prompt(command, sign, folder):
    """The time until a prompt is there, in a terminal of its own."""
    import pty

    def work():
        start = time.perf_counter()
        pid, terminal = pty.fork()
        if pid == 0:
            try:
                os.chdir(folder)
                os.execvpe(command[0], command, environment(TERM="xterm-256color", HOME=folder, NO_COLOR="1", PYTHON_BASIC_REPL="1"))
            finally:
                os._exit(127)
        try:
            seen = b""
            while sign not in seen:
                left = start + 60 - time.perf_counter()
                if left < 0 or not select.select([terminal], [], [], left)[0]:
                    raise NotRun("no prompt came in 60 s")
                try:
                    got = os.read(terminal, 4096)
                except OSError:
                    got = b""
                if not got:
                    raise NotRun(f"it ended without a prompt: {last(seen.decode(errors='replace'))}")
                seen += got
            return time.perf_counter() - start, None
        finally:
            os.close(terminal)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    return work


def startup(options, folder):
    python = [sys.executable]
    asked = environment(CPSD_COMPLETE="bash", _CLAP_COMPLETE_INDEX="2", _CLAP_IFS="\n")
    soon = {"seconds": 0.01}
    cases = [
        ("version", "`cpsd --version`", ["--version"], None, python + ["--version"], "`python3 --version`", soon),
        ("help", "`cpsd --help`", ["--help"], None, python + ["--help"], "`python3 --help`", soon),
        ("doc", "`cpsd doc merge`", ["doc", "merge"], None, python + ["-c", "help(sorted)"], "`python3 -c \"help(sorted)\"`", soon),
        ("completions", "`cpsd completions bash`", ["completions", "bash"], None, None, None, soon),
        ("candidates", "the candidates at Tab after `cpsd doc mer`", ["--", "cpsd", "doc", "mer"], asked, None, None, soon),
        ("empty", "an empty script", ["script", "empty.rhai"], None, python + ["-I", "-S", "empty.rhai"], "CPython", None),
    ]
    open(os.path.join(folder, "empty.rhai"), "w").close()
    repeats = 2 if options.quick else 10
    for id, what, arguments, env, peer, name, goal in cases:
        works = {"cpsd": lambda: timed([options.cpsd] + arguments, folder, env)}
        if peer:
            works["peer"] = lambda: timed(peer, folder)
        made = in_turn(repeats, works)
        yield sides(id, what, made["cpsd"], name, made.get("peer"), goal)
    works = {"cpsd": prompt([options.cpsd], b"cpsd> ", folder), "peer": prompt(python + ["-i"], b">>> ", folder)}
    made = in_turn(repeats, works)
    yield sides("prompt", "until the prompt is there", made["cpsd"], "CPython's", made["peer"], {"seconds": 0.1}, memory=False)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("suites", help="of load, language and startup")
    parser.add_argument("cpsd")
    parser.add_argument("--rhai", help="the built benches/rhai_alone.rs")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="little of everything, to see that it runs")
    options = parser.parse_args()
    options.cpsd = os.path.abspath(options.cpsd)
    options.rhai = options.rhai and os.path.abspath(options.rhai)
    # Ends the busy processes, as Ctrl-C does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    show = page.shown(options.json)
    with tempfile.TemporaryDirectory() as folder:
        for suite in options.suites.split(","):
            for row in {"load": load, "language": language, "startup": startup}[suite](options, folder):
                show(row)


if __name__ == "__main__":
    main()
