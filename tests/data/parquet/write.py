"""Writes the Parquet files of this folder, with pyarrow and polars. Needs both."""

import datetime as dt
import os
import random
import struct

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

HERE = os.path.dirname(os.path.abspath(__file__))
N = 24
random.seed(1)

labels = pa.table({"image": [f"{i // 3}.jpg" for i in range(N)], "label": [random.choice(["cat", "dog", None]) for _ in range(N)]})
kinds = pa.table(
    {
        "i": [i if i % 5 else None for i in range(N)],
        "x": [i / 2 for i in range(N)],
        "b": [i % 3 == 0 for i in range(N)],
        "day": [dt.date(2020, 1, 1) + dt.timedelta(days=i) for i in range(N)],
        "at": [dt.datetime(2020, 1, 1) + dt.timedelta(seconds=i) for i in range(N)],
        "hour": [dt.time(1, 2, i) for i in range(N)],
    }
)
nested = pa.table(
    {
        "list": [["a", "b"][: i % 3] if i % 7 else None for i in range(N)],
        "lists": [[[i] * (i % 2)] for i in range(N)],
        "both": [{"x": i, "y": str(i) if i % 3 else None} if i % 6 else None for i in range(N)],
    }
)


def write(table, name, **options):
    pq.write_table(table, os.path.join(HERE, name), **options)


write(labels, "labels.parquet", compression="snappy", row_group_size=10)
write(labels, "labels_v2.parquet", compression="zstd", data_page_version="2.0")
write(labels, "prefixes.parquet", compression="none", use_dictionary=False, column_encoding="DELTA_BYTE_ARRAY")
write(labels, "lengths.parquet", compression="none", use_dictionary=False, column_encoding="DELTA_LENGTH_BYTE_ARRAY")
write(kinds, "kinds.parquet", compression="none", use_dictionary=False)
write(kinds.select(["i", "at"]), "differences.parquet", compression="none", use_dictionary=False, column_encoding="DELTA_BINARY_PACKED")
write(kinds.select(["x"]), "split.parquet", compression="none", use_dictionary=False, column_encoding="BYTE_STREAM_SPLIT")
write(nested, "nested.parquet", compression="none")
categories = pl.from_arrow(labels).with_columns(pl.col("label").cast(pl.Categorical).alias("category"))
categories.write_parquet(os.path.join(HERE, "polars.parquet"), compression="uncompressed", row_group_size=10)


# A valid file of a hundred bytes with 2^30 rows: a dictionary of one number, and one run of its index.
def number(value):
    return unsigned((value << 1) ^ (value >> 63))


def unsigned(value):
    out = b""
    while value >= 128:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def i32(step, value):
    return bytes([step << 4 | 5]) + number(value)


def i64(step, value):
    return bytes([step << 4 | 6]) + number(value)


ROWS = 1 << 30
dictionary = i32(1, 2) + i32(1, 8) + i32(1, 8) + b"\x4c" + i32(1, 1) + i32(1, 0) + b"\0\0" + struct.pack("<q", 7)
run = b"\x01" + unsigned(ROWS << 1) + b"\0"
page = i32(1, 0) + i32(1, len(run)) + i32(1, len(run)) + b"\x2c" + i32(1, ROWS) + i32(1, 8) + i32(1, 3) + i32(1, 3) + b"\0\0" + run
root = b"\x48\x06schema" + i32(1, 1) + b"\0"
column = i32(1, 2) + i32(2, 0) + b"\x18\x01n" + b"\0"
size = len(dictionary) + len(page)
meta = i32(1, 2) + b"\x19\x15\x10" + b"\x19\x18\x01n" + i32(1, 0) + i64(1, ROWS) + i64(1, size) + i64(1, size)
meta += i64(2, 4 + len(dictionary)) + i64(2, 4) + b"\0"
chunk = i64(2, 0) + b"\x1c" + meta + b"\0"
group = b"\x19\x1c" + chunk + i64(1, size) + i64(1, ROWS) + b"\0"
footer = i32(1, 1) + b"\x19\x2c" + root + column + i64(1, ROWS) + b"\x19\x1c" + group + b"\0"
with open(os.path.join(HERE, "many_rows.parquet"), "wb") as file:
    file.write(b"PAR1" + dictionary + page + footer + struct.pack("<I", len(footer)) + b"PAR1")
