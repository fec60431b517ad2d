#!/usr/bin/env python3
"""Makes stream-1.kick, a stream of format version 1 that later versions must still read.

Written from the page kick-stream(5) alone, not from the program: a second implementation of the
format. Needs the packages zstandard and xxhash: python3 tests/data/make-stream.py"""
import json
import os
import struct

import xxhash
import zstandard

FRAME, PIECE = 1 << 22, (1 << 22) - (1 << 16)
out = b""
digest = xxhash.xxh3_128()
index, records = [], 0


def frame(content):
    global out
    assert len(content) <= FRAME
    c = zstandard.ZstdCompressor(level=19, write_checksum=True, write_content_size=True)
    out += c.compress(content)


def line(record):
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def planes(data, width):
    k = len(data) // width
    return b"".join(data[b:k * width:width] for b in range(width)) + data[k * width:]


def texts(*list_):
    """Records without an attachment, in a frame."""
    global records
    content = b"".join(line(r) for r in list_)
    digest.update(content)
    records += len(list_)
    frame(content)


def attached(record, sections, with_planes=True):
    """sections: (bytes, width) pairs."""
    global records
    data = b"".join(s for s, _ in sections)
    record = dict(record, bytes=len(data))
    digest.update(line(record) + data)
    records += 1
    index.append(len(out))
    if with_planes:
        record["planes"] = [[w, len(s)] for s, w in sections]
    else:
        sections = [(data, 1)]
    pieces = [planes(s[i:i + PIECE], w) for s, w in sections for i in range(0, len(s), PIECE)]
    content, held = line(record), 0
    for p in pieces:
        if len(content) + len(p) > FRAME or held == 32:
            frame(content)
            content, held = b"", 0
        content += p
        held += 1
    frame(content)


def tensor(name, values, rows, cols, data, **more):
    """data: parts as (bytes, width); padded to multiples of 8."""
    sections, at = [], 0
    for part, width in data:
        if at % 8:
            sections.append((bytes(8 - at % 8), 1))
            at += 8 - at % 8
        sections.append((part, width))
        at += len(part)
    attached({"tensor": name, "shape": [rows, cols], "values": values, **more}, sections)


def bits(flags, cols):
    """Rows of flags as a mask."""
    rows = bytearray()
    for r in range(0, len(flags), cols):
        row = bytearray((cols + 7) // 8)
        for j in range(cols):
            row[j // 8] |= flags[r + j] << j % 8
        rows += row
    return bytes(rows)


def codes(rows, width):
    """Rows of codes of `width` bits, low bits first, each row on a byte."""
    data = bytearray()
    for row in rows:
        x = sum(c << i * width for i, c in enumerate(row))
        data += x.to_bytes((len(row) * width + 7) // 8, "little")
    return bytes(data)


texts({"kick": 1, "stream": "model", "id": "0123456789abcdef0123456789abcdef", "history": [],
       "name": "golden"})
attached({"tokenizer": "none"}, [(b"", 1)])
texts({"text": "a\nb\"c\\d \u00e9 \u2603 \U0001f600"}, {"number": 0.1, "list": [1, None, True]})
# 2500 x 1000 f32, more than two pieces: element i is i / 4
tensor("big", "f32", 2500, 1000, [(struct.pack("<2500000f", *(i / 4 for i in range(2500000))), 4)])
# 3 x 5 bf16 of which every other is kept: element i is i + 1
keep = [i % 2 for i in range(15)]
bf16 = [struct.pack("<f", i + 1)[2:] for i in range(15)]
tensor("bitmap", "bf16", 3, 5, [(bits(keep, 5), 1), (b"".join(b for b, k in zip(bf16, keep) if k), 2)],
       mask="bitmap")
# 2 x 6 f16, 1:4 kept (the last group of a row has 2 columns)
keep = [int(j in (2, 4)) for i in range(2) for j in range(6)]
tensor("nm", "f16", 2, 6, [(bits(keep, 6), 1), (struct.pack("<4e", 1, 2, 3, -4), 2)], mask="nm", n=1, m=4)
# 2 x 7 in 3 bits, groups of 4: code (i * 5 + 1) % 8
q = [[(i * 5 + 1) % 8 for i in range(r * 7, r * 7 + 7)] for r in range(2)]
tensor("int", "int", 2, 7, [(codes(q, 3), 1), (struct.pack("<4f", 0.5, 1, 2, 4), 4), (bytes([0, 1, 2, 7]), 1)],
       bits=3, group=4)
attached({"x": 1}, [(bytes(range(256)) * 20000, 1)], False)

end = line({"end": True, "records": records, "xxh3": digest.hexdigest(), "input": None, "index": index})
at = len(out)
frame(end)
size = len(out)
out += struct.pack("<II8sQQ", 0x184D2A5B, 24, b"kickend\1", size, at)
path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "stream-1.kick")
with open(path, "wb") as f:
    f.write(out)
print(len(out), "bytes, digest", digest.hexdigest())
