"""Writes python_format.json: format specifications, values, and what Python's format() says; null for an error.

A number with a decimal point is written "float:..." so that JSON keeps it apart from an integer.
"""

import itertools
import json
import pathlib

integers = [0, 7, -7, 42, -1234, 1234567, 9223372036854775807, -9223372036854775808, 65]
numbers = [0.0, -0.0, 1.0, 3.14159, -2.5, 0.5, 1.5, 2.675, 1e-5, 0.0001, 123456.789, 1234567.0, 1e16, 1e15, 123456789012345680.0,
           9.995, 99.95, 1e300, 5e-324, float("nan"), float("inf"), float("-inf"), 100.0, 0.1, 1 / 3]
texts = ["", "cat", "Straße", "label name"]
specs = set("".join(parts) for parts in itertools.product(["", "<", ">", "^", "=", "*^", "0="], ["", "+", " "], ["", "12", "3"], ["", ",", "_"], [""]))
specs |= set("".join(parts) for parts in itertools.product(["", "+", "#", "0", "#0"], ["", "10"], ["", ","], ["", ".0", ".1", ".2", ".3", ".10"], ["", "f", "e", "g", "G", "%", "E", "F"]))
specs |= set("".join(parts) for parts in itertools.product(["", "+", "#", "0", "+#0", "<", "^"], ["", "12"], ["", ",", "_"], ["d", "b", "o", "x", "X", "c", "s"]))
specs |= {".3s", ">10.2s", "^7", "08", "010,", "011,", "012,", "013,.2f", "+012_x", "*>8", "{:", "q", "1.", ".", "5z", "-5d", "- 5"}


def said(spec, value):
    try:
        return format(value, spec)
    except (ValueError, OverflowError):
        return None


rows = []
for n, spec in enumerate(sorted(specs)):
    # One pair of thirteen: the others would say little new.
    for i, value in enumerate(integers + numbers + texts):
        if (n + i) % 13 == 0:
            written = f"float:{value!r}" if isinstance(value, float) else value
            rows.append([spec, written, said(spec, value)])
path = pathlib.Path(__file__).with_suffix(".json")
path.write_text("[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]\n")
