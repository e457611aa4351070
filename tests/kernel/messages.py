"""What a client sees of a kernel, case by case: the name of one is the argument."""

import os
import signal
import sys
import time
from pathlib import Path

import psutil
from client import PATIENCE, Kernel, plain

TRAIN = """let data = dataset("emoji-scenes", #{ train: 96, val: 16, test: 16, test_shifted: 8, size: 32 });
let model = train_teacher(data, data.train.names, #{ epochs: EPOCHS, batch: 16, views: 0, threads: 1, model: #{ backbone: "small_cnn", image_size: 32 } });
model.run.id"""
DISPLAYS = ["display_data", "update_display_data"]


def is_display(message):
    return message["msg_type"] in DISPLAYS


def progress(message):
    return message["content"]["data"]["text/plain"]


def interrupted_training():
    """It stops with a checkpoint, and the same cell goes on from there."""
    with Kernel() as kernel:
        code = TRAIN.replace("EPOCHS", "40")
        request = kernel.send(code)
        # Far enough that what is left tells from the beginning.
        percent = lambda m: int(progress(m).split("% of")[0].split()[-1]) if "% of" in progress(m) else 0
        messages = kernel.outputs(request, lambda m: is_display(m) and percent(m) >= 30)
        assert is_display(messages[-1]), [m["content"] for m in messages]
        begun = time.monotonic()
        kernel.manager.interrupt_kernel()
        rest = kernel.outputs(request)
        assert time.monotonic() - begun < 20
        reply = kernel.reply(request)["content"]
        assert reply["status"] == "error" and reply["ename"] == "cpsd::interrupted", reply
        assert "goes on" in reply["evalue"], reply
        last = [m for m in rest if is_display(m)][-1]
        assert "stopped at" in progress(last), progress(last)

        again = kernel.send(code)
        messages = kernel.outputs(again)
        assert kernel.reply(again)["content"]["status"] == "ok"
        shown = [m for m in messages if is_display(m)]
        begins = [percent(m) for m in shown if percent(m)]
        assert begins and begins[0] >= 20, [progress(m) for m in shown]
        result = [m["content"]["data"]["text/plain"] for m in messages if m["msg_type"] == "execute_result"]
        assert result == [kernel.value("model.run.id")], result


def one_display():
    """A training has one display, which changes five times a second at most, and no lines."""
    with Kernel() as kernel:
        begun = time.monotonic()
        cell = kernel.run(TRAIN.replace("EPOCHS", "16"))
        took = time.monotonic() - begun
        assert cell.reply["status"] == "ok", cell.reply
        displays, updates = cell.of("display_data"), cell.of("update_display_data")
        assert len(displays) == 1 and len(updates) >= 2, (displays, updates)
        name = displays[0]["transient"]["display_id"]
        assert all(update["transient"]["display_id"] == name for update in updates)
        assert len(updates) <= 5 * took + 2, (len(updates), took)
        assert "<progress" in updates[0]["data"]["text/html"], updates[0]
        assert updates[-1]["data"]["text/plain"].startswith("✓"), updates[-1]
        lines = cell.text("stdout") + cell.text("stderr")
        assert len(lines.splitlines()) < 5, lines


def interrupts():
    """A message and SIGINT stop what runs; the kernel and its variables stay, and cells that had come are not run."""
    with Kernel() as kernel:
        kernel.run("let x = 41;")
        for stop in ["message", "signal"]:
            request = kernel.send('print("begun"); loop {}')
            kernel.outputs(request, lambda m: m["msg_type"] == "stream")
            behind = kernel.send("x += 100;")
            time.sleep(0.3)
            if stop == "message":
                kernel.manager.interrupt_kernel()
            else:
                os.kill(kernel.manager.provisioner.pid, signal.SIGINT)
            reply = kernel.reply(request)["content"]
            assert reply["ename"] == "cpsd::interrupted", reply
            # Yellow is not read on the red of errors.
            assert "\x1b[33m" not in "".join(reply["traceback"]), reply
            # It was not run, so it has no number.
            assert kernel.reply(behind)["content"] == {"status": "aborted"}
        # Of nothing that runs.
        kernel.manager.interrupt_kernel()
        time.sleep(0.5)
        assert kernel.value("x + 1") == "42"


def answers_meanwhile():
    """While a cell runs, the control channel and the heartbeat answer."""
    with Kernel() as kernel:
        request = kernel.send("sleep(3.0); 7")
        kernel.outputs(request, lambda m: m["msg_type"] == "execute_input")
        begun = time.monotonic()
        message = kernel.client.session.msg("kernel_info_request", {})
        kernel.client.control_channel.send(message)
        reply = kernel.client.get_control_msg(timeout=PATIENCE)
        assert reply["content"]["implementation"] == "cpsd", reply
        assert time.monotonic() - begun < 2
        assert kernel.client.is_alive() and kernel.client.hb_channel.is_beating()
        assert kernel.reply(request)["content"]["status"] == "ok"


def background_job():
    """A job prints into the cell that began it, whatever runs then."""
    with Kernel() as kernel:
        first = kernel.send('let job = spawn(|| { sleep(1.0); print("from the job"); 7 });')
        kernel.outputs(first)
        second = kernel.run("1 + 1")
        assert second.result() == "2"
        line = kernel.message(first)
        assert line["msg_type"] == "stream" and "from the job" in line["content"]["text"], line
        done = kernel.message(first)
        assert "done in" in done["content"]["text"], done
        assert kernel.value("wait(job)") == "7"
        # Its progress has a display there too.
        code = TRAIN.replace("EPOCHS", "12").replace("let model = ", "let other = spawn(|| ").replace("});\nmodel.run.id", "}));")
        third = kernel.send(code)
        kernel.outputs(third)
        assert kernel.run("2 + 2").result() == "4"
        while not is_display(shown := kernel.message(third)):
            pass
        assert "images" in progress(shown), shown
        kernel.run("wait(other);")


def questions():
    """A permission is asked for where the client allows it; without, the error says what to type."""
    out = Path("outside").resolve()
    out.mkdir()
    os.environ["OUTSIDE"] = str(out)
    inside = Path("inside")
    inside.mkdir()
    os.chdir(inside)
    code = 'write_text(environment("OUTSIDE") + "/a.txt", "a")'
    with Kernel() as kernel:
        cell = kernel.run(code, allow_stdin=False)
        assert cell.reply["status"] == "error" and "may not write" in cell.reply["evalue"], cell.reply
        # A folder of files in folders is one question, before anything is made; a refusal leaves no progress that looks done.
        scenes = 'write_scenes(environment("OUTSIDE") + "/PLACE/scenes", #{ train: 12, test: 6, size: 64 });'
        for place, answer in [("no", "n"), ("more", "y")]:
            request = kernel.send(scenes.replace("PLACE", place), allow_stdin=True)
            asked = kernel.client.get_stdin_msg(timeout=PATIENCE)["content"]["prompt"]
            assert asked.count("scenes") == 1 and "wants to write files in" in asked, asked
            kernel.client.input(answer)
            messages = kernel.outputs(request)
            assert kernel.reply(request)["content"]["status"] == ("ok" if answer == "y" else "error")
            assert answer == "y" or not any("✓" in progress(m) for m in messages if is_display(m)), messages
        assert not (out / "no").exists() and len(list((out / "more/scenes").rglob("*.jpg"))) == 18
        for answers, allowed in [(["perhaps", "n"], False), (["yes"], True)]:
            # A refusal is remembered by the place.
            place = code if allowed else code.replace("/a.txt", "/other/a.txt")
            request = kernel.send(place, allow_stdin=True)
            for answer in answers:
                asked = kernel.client.get_stdin_msg(timeout=PATIENCE)
                assert asked["msg_type"] == "input_request" and "wants to write" in asked["content"]["prompt"], asked
                assert asked["parent_header"]["msg_id"] == request
                kernel.client.input(answer)
            status = kernel.reply(request)["content"]["status"]
            assert status == ("ok" if allowed else "error"), (answers, status)
        assert (out / "a.txt").read_text() == "a"
        # Nobody answers: an interrupt ends the wait.
        request = kernel.send(code.replace("OUTSIDE", "HOME"), allow_stdin=True)
        kernel.client.get_stdin_msg(timeout=PATIENCE)
        kernel.manager.interrupt_kernel()
        assert kernel.reply(request)["content"]["status"] == "error"


def commands():
    """The prompt's commands, output of other programs, and what does not end a kernel."""
    with Kernel() as kernel:
        assert "spectral_partition(affinity, k)" in plain(kernel.run("?spectral_partition").text())
        kernel.run("let answer = 42;")
        cell = kernel.run(":vars\n?answer")
        assert "answer" in plain(cell.text()) and "integer" in plain(cell.text()), cell.text()
        cell = kernel.run(":sh echo from a shell; echo and its errors >&2")
        assert cell.text() == "from a shell\nand its errors\n", cell.text()
        cell = kernel.run(":time 20 + 1")
        assert cell.result() == "21" and " s" in cell.text(), cell.messages
        # A table that is printed alone is shown, and with others is text; in order.
        cell = kernel.run('let t = table([#{ a: 1 }, #{ a: 2 }]); print("before"); print(t); print("behind", t);')
        kinds = [m["msg_type"] for m in cell.messages if m["msg_type"] in ["stream", "display_data"]]
        assert kinds == ["stream", "display_data", "stream"] and "<table" in cell.of("display_data")[0]["data"]["text/html"], cell.messages
        assert cell.text().startswith("before\nbehind") and cell.of("display_data")[0]["data"]["text/plain"].split() == ["a", "1", "2"], cell.messages
        for code, says in [
            (":nothing", "there is no command :nothing"),
            ("?nothere", "nothere"),
            ("??nothere", "nothere"),
            (":edit", "the notebook is the editor"),
            (":time missing", "missing"),
            ("!exit 3", "exit status: 3"),
            ("exit(3)", "exit(3)"),
        ]:
            cell = kernel.run(code)
            assert cell.reply["status"] == "error" and says in cell.reply["evalue"], (code, cell.messages)
            error = cell.of("error")[0]
            assert error["ename"].startswith("cpsd::") and error["traceback"], error
        for code in [":quit", "exit", "quit()"]:
            cell = kernel.run(code)
            assert cell.reply["status"] == "ok" and "asked to leave" in cell.text(), (code, cell.messages)
            assert cell.reply["payload"] == [{"source": "ask_exit", "keepkernel": False}], cell.reply
        cell = kernel.run("let before = 1;\nexit(0);\nlet behind = 2;")
        assert cell.reply["status"] == "ok" and not cell.reply["payload"], cell.reply
        assert cell.text() == f"exit(0) ended cell {cell.reply['execution_count']}; the session goes on\n", cell.text()
        assert kernel.value("before") == "1"
        # The shell's commands, and code behind them.
        cell = kernel.run("!echo one; \\\n  echo two\n!echo three\nanswer")
        assert cell.text() == "one\ntwo\nthree\n" and cell.result() == "42", cell.messages
        kernel.run("let done = false;")
        assert kernel.value("!done") == "true"
        cell = kernel.run("!echo first\nlet a = 1;\nmissing")
        said = plain("\n".join(cell.reply["traceback"]))
        assert f"cell {cell.reply['execution_count']}:3:1" in said, cell.reply
        request = kernel.send("!trap '' INT; echo begun; sleep 100 & wait; wait")
        kernel.outputs(request, lambda m: m["msg_type"] == "stream")
        begun = time.monotonic()
        kernel.manager.interrupt_kernel()
        assert kernel.reply(request)["content"]["ename"] == "cpsd::interrupted" and time.monotonic() - begun < 20
        # What the shell began ends with it.
        kernel.run("!rm -f lived")
        request = kernel.send("!sh -c 'sleep 2; touch lived' & echo begun; wait")
        kernel.outputs(request, lambda m: m["msg_type"] == "stream")
        kernel.manager.interrupt_kernel()
        assert kernel.reply(request)["content"]["ename"] == "cpsd::interrupted"
        time.sleep(2.5)
        assert kernel.run("!test -e lived").reply["status"] == "error"
        # Lines end statements, as at the prompt.
        cell = kernel.run("let ends = [\n  20\n]\nfn twice(x) { 2 * x }\nlet n = twice(ends[0]) // forty\nn + 2")
        assert cell.result() == "42", cell.messages
        said = plain("\n".join(kernel.run("let n = 1\n\nn + missing").reply["traceback"]))
        assert ":3:5" in said, said
        # As in IPython.
        asked = [kernel.run(code) for code in ["?train_teacher", "train_teacher?"]]
        assert asked[0].text() == asked[1].text() != "", asked[1].messages
        assert ":time 1" in plain("\n".join(kernel.run("%time 1").reply["traceback"]))
        request = kernel.send(":sh sleep 100")
        kernel.outputs(request, lambda m: m["msg_type"] == "execute_input")
        time.sleep(0.5)
        kernel.manager.interrupt_kernel()
        assert kernel.reply(request)["content"]["ename"] == "cpsd::interrupted"
        cell = kernel.run("nothing_here + 1")
        assert cell.reply["status"] == "error"
        assert "nothing_here" in plain(kernel.run(":why").text("stderr"))
        assert kernel.value("answer") == "42"


def errors():
    """An error has its place underlined, in colour; warnings are on stderr; a syntax error too has its place."""
    with Kernel() as kernel:
        cell = kernel.run("let a = 1;\nlet b = spectral_partition(a, 2);")
        error = cell.of("error")[0]
        text = plain("\n".join(error["traceback"]))
        assert error["ename"] == "cpsd::argument" and "\x1b[" in "\n".join(error["traceback"]), error
        assert "cell 1:2" in text and "spectral_partition(a, 2)" in text and ("─" in text or "^" in text), text
        assert cell.reply["traceback"] == error["traceback"] and cell.reply["evalue"] == error["evalue"]
        cell = kernel.run("let a = (1;")
        assert cell.reply["status"] == "error" and "opened here" in plain("\n".join(cell.reply["traceback"])), cell.reply
        cell = kernel.run('print("out"); debug("log")')
        assert cell.text("stdout") == "out\n" and "log" in cell.text("stderr"), cell.messages
        # The value of a cell that failed has the name that was typed.
        failed = cell.reply["execution_count"] - 1
        cell = kernel.run(f"_{failed} + 1")
        text = cell.reply["evalue"] + plain("\n".join(cell.reply["traceback"]))
        assert cell.reply["status"] == "error" and f"_{failed}" in cell.reply["evalue"] and "ans" not in text, text
        # Expressions beside a cell, and a silent one.
        cell = kernel.run("let y = 5;", user_expressions={"y": "y + 1", "z": "no_such"})
        values = cell.reply["user_expressions"]
        assert values["y"]["data"]["text/plain"] == "6" and values["z"]["status"] == "error", values
        count = cell.reply["execution_count"]
        silent = kernel.run("y = 9; y", silent=True)
        assert not silent.of("execute_result") and not silent.of("execute_input"), silent.messages
        assert kernel.run("y").reply["execution_count"] == count + 1
        # A panic-free end of an endless print: what was said comes, bounded in time.
        request = kernel.send('loop { print("' + "x" * 100 + '"); }')
        kernel.outputs(request, lambda m: m["msg_type"] == "stream")
        time.sleep(1)
        kernel.manager.interrupt_kernel()
        kernel.outputs(request)
        memory = psutil.Process(kernel.manager.provisioner.pid).memory_info().rss
        assert kernel.reply(request)["content"]["ename"] == "cpsd::interrupted" and memory < 2 << 30, memory


def help_and_completion():
    """Completion and inspection know variables, members, options and imports; characters are counted."""
    with Kernel() as kernel:
        kernel.run('let part = random_partition(["a", "b"], 2); import "method" as m;')

        def complete(code):
            at = code.index("|")
            request = kernel.client.complete(code.replace("|", ""), at)
            return kernel.reply(request)["content"]

        found = complete('"äöü 🐈"; part.assi|')
        assert found["matches"] == ["assignment"] or "assi" in found["matches"][0], found
        assert (found["cursor_start"], found["cursor_end"]) == (14, 18), found
        assert complete("m::defa|")["matches"] == ["defaults"]
        assert "epochs: " in complete("train_teacher(d, l, #{\n    ep|")["matches"]
        assert complete("nothing_at_all|")["matches"] == []

        def inspect(code, detail=0):
            at = code.index("|")
            request = kernel.client.inspect(code.replace("|", ""), at, detail)
            content = kernel.reply(request)["content"]
            return plain(content["data"]["text/plain"]) if content["found"] else ""

        assert inspect("part|").startswith("part  Partition")
        assert "Partition.tasks" in inspect("part.ta|sks")
        assert inspect("train_teacher(|").startswith("train_teacher(")
        assert "fn defaults" in inspect("m::defaults|", 1)
        assert inspect("no_such_name|") == ""


def restart_and_shutdown():
    """A restart forgets variables; a kernel ends by itself when it is shut down, also in the middle of a training."""
    with Kernel() as kernel:
        assert kernel.value("let x = 1; x") == "1"
        kernel.client.stop_channels()
        kernel.manager.restart_kernel()
        kernel.client = kernel.manager.client()
        kernel.client.start_channels()
        kernel.client.wait_for_ready(timeout=PATIENCE)
        cell = kernel.run("x")
        assert cell.reply["status"] == "error" and cell.reply["execution_count"] == 1, cell.reply

        request = kernel.send(TRAIN.replace("EPOCHS", "2000"))
        kernel.outputs(request, is_display)
        process = psutil.Process(kernel.manager.provisioner.pid)
        begun = time.monotonic()
        kernel.client.shutdown()
        code = process.wait(timeout=30)
        assert time.monotonic() - begun < 20 and code in (0, None), code
        assert list(Path("runs").glob(".work/*/checkpoint*")) or list(Path("runs/.work").iterdir()), "a checkpoint"


def report_page():
    """report(...) shows its page in a frame below the cell, and gives the path."""
    with Kernel() as kernel:
        kernel.run(TRAIN.replace("EPOCHS", "1"))
        cell = kernel.run('report([model], "out/report.html")')
        assert cell.result() == '"out/report.html"', cell.messages
        frames = [d["data"]["text/html"] for d in cell.of("display_data") if "<iframe" in d["data"].get("text/html", "")]
        assert len(frames) == 1 and 'srcdoc="&lt;!DOCTYPE html&gt;' in frames[0], frames
        assert Path("out/report.html").exists()


def bad_messages():
    """What is no request of Jupyter's is refused, and what is not signed is not heard."""
    with Kernel() as kernel:
        client = kernel.client
        for kind, content in [("complete_request", {}), ("no_such_request", {"a": 1}), ("execute_request", {"code": 7})]:
            message = client.session.msg(kind, content)
            client.shell_channel.send(message)
            reply = kernel.reply(message["header"]["msg_id"])
            assert reply["msg_type"] == kind.replace("_request", "_reply"), reply
            assert reply["content"]["status"] == "error" and reply["content"]["evalue"], reply
        message = client.session.msg("comm_open", {"comm_id": "1", "target_name": "widget", "data": {}})
        client.shell_channel.send(message)
        closed = [m for m in kernel.outputs(message["header"]["msg_id"]) if m["msg_type"] == "comm_close"]
        assert closed and closed[0]["content"]["comm_id"] == "1", closed
        request = client.comm_info()
        assert kernel.reply(request)["content"]["comms"] == {}
        key, client.session.key = client.session.key, b"another key"
        client.execute("let stranger = 1;")
        time.sleep(0.5)
        client.session.key = key
        assert kernel.run("stranger").reply["status"] == "error"


def ends_with_its_parent():
    """A kernel whose server is gone ends."""
    import subprocess

    code = "from client import Kernel\nkernel = Kernel()\nprint(kernel.manager.provisioner.pid, flush=True)\nimport os\nos._exit(1)"
    here = Path(__file__).parent
    environment = os.environ | {"PYTHONPATH": str(here)}
    server = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    pid = int(server.stdout)
    end = time.monotonic() + 30
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < end, "the kernel is still there"
        time.sleep(0.1)


globals()[sys.argv[1]]()
