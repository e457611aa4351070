"""nbclient runs a notebook: variables and imports from cell to cell, a table, a figure, an error, a training with progress."""

import sys

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

CELLS = [
    "let x = 20; fn double(a) { a * 2 }",
    'import "method" as method;\nprint("x is", x);\ndouble(x) + 2',
    "method::defaults().type_of()",
    "let rows = [];\nfor i in 0..700 { rows.push(#{ name: `<b>${i}</b>`, n: i }); }\ntable(rows)",
    'plot([3.0, 2.0, 1.5], #{ title: "Loss" })',
    "double(missing)",
    """let data = dataset("emoji-scenes", #{ train: 96, val: 16, test: 16, test_shifted: 8, size: 32 });
let model = train_teacher(data, data.train.names, #{ epochs: 12, batch: 16, views: 0, threads: 1, model: #{ backbone: "small_cnn", image_size: 32 } });
model""",
    "_2 + 1",
]


def made(codes):
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_code_cell(code) for code in codes]
    notebook.metadata["kernelspec"] = {"name": "cpsd", "display_name": "cpsd", "language": "rhai"}
    return notebook


def stops_at_a_command_that_fails():
    """A command that fails is a failure of the notebook, whose next cell is not run."""
    notebook = made(["!echo first", ":nothing", "print(2)"])
    try:
        NotebookClient(notebook, timeout=300, kernel_name="cpsd").execute()
    except CellExecutionError as error:
        assert error.evalue.startswith("there is no command :nothing"), error
    else:
        raise AssertionError("it went on")
    first, failed, last = notebook.cells
    assert first.outputs[0]["text"] == "first\n" and failed.outputs[0]["output_type"] == "error", notebook.cells
    assert last.outputs == [] and last.execution_count is None, last


def main():
    notebook = made(CELLS)
    NotebookClient(notebook, timeout=300, allow_errors=True, kernel_name="cpsd").execute()
    nbformat.validate(notebook)
    cells = [cell.outputs for cell in notebook.cells]
    silent, printed, imported, table, figure, error, training, last = cells

    assert silent == [], silent
    assert printed[0]["text"] == "x is 20\n" and printed[0]["name"] == "stdout", printed
    assert printed[1]["data"]["text/plain"] == "42" and printed[1]["execution_count"] == 2, printed
    assert imported[0]["data"]["text/plain"] == '"map"', imported

    html = table[0]["data"]["text/html"]
    assert "&lt;b&gt;3&lt;/b&gt;" in html and "<b>3</b>" not in html, html[:400]
    assert html.count("<tr>") == 501 and "the first 500 of 700 rows" in html, html[-400:]
    assert "<script>" in html and "700 rows" in table[0]["data"]["text/plain"], table[0]["data"]["text/plain"]

    data = figure[0]["data"]
    assert data["image/svg+xml"].startswith("<svg") and "Loss" in data["image/svg+xml"]
    assert len(data["image/png"]) > 1000 and figure[0]["metadata"]["image/png"]["width"] > 100, figure[0]["metadata"]

    assert error[0]["output_type"] == "error" and error[0]["ename"] == "cpsd::argument", error
    traceback = "\n".join(error[0]["traceback"])
    assert "\x1b[" in traceback and "cell 6" in traceback and "double(missing)" in traceback, traceback
    assert "missing" in error[0]["evalue"], error

    displays = [output for output in training if output["output_type"] == "display_data"]
    assert len(displays) == 1, training
    text = displays[0]["data"]["text/plain"]
    assert text.startswith("✓") and "images in" in text, text
    assert "text/html" in displays[0]["data"]
    results = [output for output in training if output["output_type"] == "execute_result"]
    assert len(results) == 1 and len(training) <= 3, training

    assert last[0]["data"]["text/plain"] == "43", last
    if len(sys.argv) > 1:
        nbformat.write(notebook, sys.argv[1])


main()
stops_at_a_command_that_fails()
