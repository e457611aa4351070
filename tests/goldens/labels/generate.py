"""Writes tables.json: label files as people have them, and their labels as pandas reads them.

    python3 -m venv venv && venv/bin/pip install pandas && venv/bin/python generate.py

A case is a file's content (or bytes in hexadecimal), the options of load_labels, and the labels of each image, in the order
of the rows; with `unknown` where entries are of unknown truth.
"""

import ast
import csv
import io
import json
from pathlib import Path

import pandas as pd

CASES = []


def case(name, content, options, frame, labels, file="x.csv", unknown=None):
    """`labels`: a function of a row that gives its labels. Rows of one image are put together."""
    images, known, open_ = [], {}, {}
    for _, row in frame.iterrows():
        image = str(row.iloc[0])
        if image not in known:
            images.append(image)
            known[image], open_[image] = set(), set()
        known[image] |= set(labels(row))
        open_[image] |= set(unknown(row)) if unknown else set()
    entry = {"name": name, "file": file, "options": options, "rows": [[i, sorted(known[i])] for i in images]}
    entry["hex" if isinstance(content, bytes) else "text"] = content.hex() if isinstance(content, bytes) else content
    if unknown:
        entry["unknown"] = [[i, sorted(open_[i] - known[i])] for i in images]
    CASES.append(entry)


def read(content, **options):
    return pd.read_csv(io.BytesIO(content) if isinstance(content, bytes) else io.StringIO(content), **options)


def positive(columns):
    return lambda row: [c for c in columns if row[c] == 1]


CHEXPERT = """Path,Sex,Age,No Finding,Edema,Pleural Effusion
p1/v1.jpg,Female,68,1.0,,
p2/v1.jpg,Male,87,,-1.0,1.0
p2/v2.jpg,Male,87,,1.0,-1.0
p3/v1.jpg,Female,41,0.0,,0.0
"""
names = ["No Finding", "Edema", "Pleural Effusion"]
frame = read(CHEXPERT)
case("CheXpert, -1 positive", CHEXPERT, {"labels": names, "unknown": "positive"}, frame, lambda r: [n for n in names if r[n] in (1, -1)])
case("CheXpert, -1 negative", CHEXPERT, {"labels": names, "unknown": "negative"}, frame, positive(names))
case("CheXpert, -1 masked, empty negative", CHEXPERT, {"labels": names, "unknown": "masked", "empty": "negative"}, frame,
     positive(names), unknown=lambda r: [n for n in names if r[n] == -1])
case("CheXpert, all masked", CHEXPERT, {"labels": names, "unknown": "masked"}, frame, positive(names),
     unknown=lambda r: [n for n in names if r[n] == -1 or pd.isna(r[n])])

NIH = """Image Index,Finding Labels,Follow-up #,Patient ID,OriginalImage[Width,Height],
p1_000.png,Cardiomegaly,0,1,2682,2749,
p1_001.png,Cardiomegaly|Emphysema,1,1,2894,2729,
p2_000.png,No Finding,0,2,2500,2048,
"""
case("NIH chest X-rays", NIH, {}, read(NIH), lambda r: r["Finding Labels"].split("|"))
for name, separator, cells in [
    ("bars", "|", ["sky|sea", "sea", "sun|sky", ""]),
    ("semicolons", ";", ["sky;sea", "sea", "sun; sky", ""]),
    ("commas", ",", ["sky, sea", "sea", "sun, sky", ""]),
    ("blanks", None, ["clear primary", "haze primary", "clear", "water clear primary"]),
]:
    frame = pd.DataFrame({"image_name": [f"train_{i}" for i in range(len(cells))], "tags": cells})
    text = frame.to_csv(index=False)
    split = lambda r: [p.strip() for p in r["tags"].split(separator)] if r["tags"] else []
    case(f"several labels between {name}", text, {}, read(text, keep_default_na=False), split)
    text = frame.rename(columns={"tags": "what"}).to_csv(index=False)
    case(f"between {name}, said by options", text, {"label": "what", "separator": separator or " "}, frame, split)
LISTS = pd.DataFrame({"image": ["a.jpg", "b.jpg", "c.jpg"], "label": [["cat", "it's, a dog"], ["cat"], []]})
case("a column of lists", LISTS.to_csv(index=False), {}, read(LISTS.to_csv(index=False)), lambda r: ast.literal_eval(r["label"]))
NAMES = "image,label\na.jpg,\"bear, brown\"\nb.jpg,dog\n"
case("a comma in a name", NAMES, {}, read(NAMES), lambda r: [r["label"]])

onehot = pd.DataFrame({"image": ["a.jpg", "b.jpg", "c.jpg"], "cat": [1, 1, 0], "dog": [0, 1, 0], "label": [1, 0, 0]})
columns = ["cat", "dog", "label"]
case("one-hot with a column called label", onehot.to_csv(index=False), {}, onehot, positive(columns))
case("one-hot with pandas' index", onehot.to_csv(), {}, onehot, positive(columns))
case("one-hot indexed by image, index unnamed", onehot.set_index("image").rename_axis(None).to_csv(), {}, onehot, positive(columns))
case("one-hot of booleans", onehot.astype({c: bool for c in columns}).to_csv(index=False), {}, onehot, positive(columns))
case("one-hot of floats", onehot.astype({c: float for c in columns}).to_csv(index=False), {}, onehot, positive(columns))
case("one-hot, semicolons and decimal commas elsewhere", onehot.assign(size=["1,5", "2,5", "3"]).to_csv(index=False, sep=";"),
     {"labels": columns}, onehot, positive(columns))
missing = onehot.astype({c: float for c in columns})
missing.loc[1, "dog"] = None
case("one-hot with a missing value, negative", missing.to_csv(index=False), {"empty": "negative"}, missing, positive(columns))
case("one-hot with a missing value, masked", missing.to_csv(index=False, na_rep="NaN"), {"unknown": "masked"}, missing, positive(columns),
     unknown=lambda r: [c for c in columns if pd.isna(r[c])])

BOXES = "filename,width,class,xmin\na.jpg,10,raccoon,1\na.jpg,10,cat,2\nb.jpg,10,raccoon,3\nb.jpg,10,raccoon,4\n"
case("boxes as rows", BOXES, {}, read(BOXES), lambda r: [r["class"]])
case("other names of columns", BOXES.replace("filename", "bild").replace("class", "art"), {"image": "bild", "label": "art"}, read(BOXES), lambda r: [r["class"]])
SPACES = "image, label\na.jpg, cat\na.jpg, \"bear, brown\"\n b.jpg,dog \n"
frame = read(SPACES, skipinitialspace=True)
frame = frame.assign(image=frame["image"].str.strip(), label=frame["label"].str.strip())
case("blanks behind delimiters", SPACES, {}, frame, lambda r: [r["label"]])
rows = pd.DataFrame({"image": ["a.jpg", "a.jpg", "b.jpg"], "label": ["Katze", "Hund", "Bär"]})
one = lambda r: [r["label"]]
for name, options, content, given in [
    ("semicolons and a byte-order mark", {"sep": ";"}, rows.to_csv(index=False, sep=";").encode("utf-8-sig"), {}),
    ("tabs in UTF-16", {"sep": "\t", "encoding": "utf-16"}, rows.to_csv(index=False, sep="\t").encode("utf-16"), {}),
    ("Latin-1", {"sep": ";", "encoding": "latin-1"}, rows.to_csv(index=False, sep=";").encode("latin-1"), {"encoding": "latin1"}),
    ("bars", {"sep": "|"}, rows.to_csv(index=False, sep="|").encode(), {}),
    ("carriage returns", {}, rows.to_csv(index=False, lineterminator="\r").encode(), {}),
    ("all quoted", {}, rows.to_csv(index=False, quoting=csv.QUOTE_ALL).encode(), {}),
    ("Excel's first line", {"sep": ";", "skiprows": 1}, b"sep=;\r\n" + rows.to_csv(index=False, sep=";").encode(), {}),
    ("a comment above", {"comment": "#"}, b"# made by hand\n" + rows.to_csv(index=False).encode(), {}),
    ("no header", {"header": None}, rows.to_csv(index=False, header=False).encode(), {"header": False}),
]:
    frame = read(content, **options)
    frame.columns = ["image", "label"]
    case(name, content, given, frame, one)

out = {"source": f"pandas {pd.__version__}", "cases": CASES}
Path(__file__).with_name("tables.json").write_text(json.dumps(out, indent=1, ensure_ascii=True) + "\n")
