"""Runs a notebook in the working folder and writes it with its outputs: SOURCE INTO. Of a figure's two forms the smaller one is kept."""

import sys

import nbformat
from nbclient import NotebookClient

source, into = sys.argv[1:]
notebook = nbformat.read(source, as_version=4)
NotebookClient(notebook, timeout=900, resources={"metadata": {"path": "."}}).execute()
for cell in notebook.cells:
    # Times, which differ from run to run.
    cell.metadata.pop("execution", None)
    for output in cell.get("outputs", []):
        data = output.get("data", {})
        forms = [form for form in ("image/svg+xml", "image/png") if form in data]
        if len(forms) == 2:
            larger = max(forms, key=lambda form: len(data[form]))
            del data[larger]
            if larger == "image/png":
                output["metadata"] = {}
nbformat.validate(notebook)
nbformat.write(notebook, into)
