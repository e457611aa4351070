"""Reads a table's LaTeX, Markdown and CSV (JSON on standard input) with readers of others; writes the cells as JSON."""

import csv
import io
import json
import sys

from markdown_it import MarkdownIt
from pylatexenc.latex2text import LatexNodes2Text

texts = json.load(sys.stdin)


def latex_rows(text):
    """The rows between the rules, each cell as LaTeX would print it."""
    body = text.split("\\toprule")[1].split("\\bottomrule")[0].replace("\\midrule", "")
    # An unescaped & parts cells; \\ ends a row.
    rows = []
    for line in filter(None, map(str.strip, body.split("\n"))):
        assert line.endswith("\\\\"), line
        cells, cell, at = [], "", 0
        line = line[:-2]
        while at < len(line):
            if line[at] == "\\":
                cell, at = cell + line[at : at + 2], at + 2
            elif line[at] == "&":
                cells, cell, at = cells + [cell], "", at + 1
            else:
                cell, at = cell + line[at], at + 1
        rows.append([LatexNodes2Text(math_mode="text").latex_to_text(c.strip()) for c in cells + [cell]])
    return rows


def markdown_rows(text):
    rows, row = [], None
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if token.type == "tr_open":
            row = []
        elif token.type == "tr_close":
            rows.append(row)
        elif token.type == "inline" and row is not None:
            kinds = {child.type for child in token.children}
            assert kinds <= {"text", "text_special", "strong_open", "strong_close"}, (kinds, token.content)
            row.append("".join(child.content for child in token.children))
    return rows


print(json.dumps({
    "latex": latex_rows(texts["latex"]),
    "markdown": markdown_rows(texts["markdown"]),
    "csv": list(csv.reader(io.StringIO(texts["csv"]))),
}))
