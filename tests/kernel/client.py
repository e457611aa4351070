"""A kernel of cpsd and a client of it, for the scripts of this folder. JUPYTER_PATH has its specification."""

import re
import time
from queue import Empty

from jupyter_client.manager import start_new_kernel

PATIENCE = 120


class Cell:
    """What came back for one execute_request."""

    def __init__(self, reply, messages):
        self.reply = reply["content"]
        self.messages = messages

    def of(self, kind):
        return [m["content"] for m in self.messages if m["msg_type"] == kind]

    def text(self, stream="stdout"):
        return "".join(c["text"] for c in self.of("stream") if c["name"] == stream)

    def result(self, mime="text/plain"):
        results = self.of("execute_result")
        assert len(results) == 1, (self.reply, self.messages)
        return results[0]["data"][mime]


class Kernel:
    def __init__(self):
        self.manager, self.client = start_new_kernel(kernel_name="cpsd")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)

    def send(self, code, **options):
        return self.client.execute(code, **options)

    def message(self, of=None, timeout=PATIENCE):
        """The next message on iopub, of one request or of any."""
        end = time.monotonic() + timeout
        while True:
            left = end - time.monotonic()
            assert left > 0, "waited too long for a message"
            try:
                message = self.client.get_iopub_msg(timeout=left)
            except Empty:
                continue
            if of is None or message["parent_header"].get("msg_id") == of:
                return message

    def outputs(self, request, until=lambda m: False):
        """Messages of a request to its idle, or to one that is waited for."""
        messages = []
        while True:
            message = self.message(request)
            messages.append(message)
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                return messages
            if until(message):
                return messages

    def reply(self, request):
        while True:
            reply = self.client.get_shell_msg(timeout=PATIENCE)
            if reply["parent_header"].get("msg_id") == request:
                return reply

    def run(self, code, **options):
        request = self.send(code, **options)
        messages = self.outputs(request)
        return Cell(self.reply(request), messages)

    def value(self, code):
        cell = self.run(code)
        assert cell.reply["status"] == "ok", cell.reply
        return cell.result()


def plain(text):
    """A text without its colours."""
    return re.sub("\x1b\\[[0-9;]*m", "", text)
