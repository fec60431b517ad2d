"""Every part of a workbook parses, and every range that a chart points at holds what it says:
workbook.py FILE [SHEET CSV]; with them, every number of a figure's csv stands in its sheet.
Prints one line a fault; the last line counts charts and ranges."""
import csv
import re
import sys
import zipfile
import xml.etree.ElementTree as xml

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
CHART = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
LINK = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"

book = zipfile.ZipFile(sys.argv[1])
parts = {n: xml.fromstring(book.read(n)) for n in book.namelist() if n.endswith((".xml", ".rels"))}
links = {r.get("Id"): r.get("Target") for r in parts["xl/_rels/workbook.xml.rels"]}
sheets = {}
for sheet in parts["xl/workbook.xml"].iter(MAIN + "sheet"):
    cells = {}
    for c in parts["xl/" + links[sheet.get(LINK)]].iter(MAIN + "c"):
        v = c.find(MAIN + "v")
        if v is not None:
            cells[c.get("r")] = None if c.get("t") in ("s", "str") else float(v.text)
    sheets[sheet.get("name")] = cells
charts = ranges = 0
for name in sorted(parts):
    if not re.fullmatch(r"xl/charts/chart\d+\.xml", name):
        continue
    charts += 1
    for s in parts[name].iter(CHART + "symbol"):
        if s.get("val") not in "auto circle dash diamond dot none picture plus square star triangle x".split():
            print(name, "has the marker", s.get("val"), "which the format lacks")
    series = list(parts[name].iter(CHART + "ser"))
    if not series:
        print(name, "has no series")
    for s in series:
        for kind in ("xVal", "cat", "yVal", "val"):
            for f in (r for k in s.iter(CHART + kind) for r in k.iter(CHART + "f")):
                ranges += 1
                m = re.fullmatch(r"(.+)!\$([A-Z]+)\$(\d+)(?::\$\2\$(\d+))?", f.text)
                cells = sheets.get(m and m[1].strip("'").replace("''", "'"))
                there = [cells[f"{m[2]}{r}"] for r in range(int(m[3]), int(m[4] or m[3]) + 1) if f"{m[2]}{r}" in cells] if cells else []
                if not there or (kind in ("yVal", "val") and not any(v is not None for v in there)):
                    print(name, kind, f.text, "holds nothing")
if len(sys.argv) > 2:
    there = {f"{v:.12g}" for v in sheets[sys.argv[2]].values() if v is not None}
    for row in csv.reader(open(sys.argv[3], encoding="utf-8")):
        for v in row:
            if re.fullmatch(r"-?[0-9.]+(e[-+]?[0-9]+)?", v) and f"{float(v):.12g}" not in there:
                print(sys.argv[2], "lacks", v)
print(charts, "charts,", ranges, "ranges,", len(sheets), "sheets")
