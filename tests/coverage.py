"""What make coverage says: lines reached by part and, worst first, by file; then the messages of lib/ that
no test provokes. Argument: the JSON of gcovr."""
import json
import re
import sys

parts, files, silent, messages = {}, [], [], 0
for f in json.load(open(sys.argv[1]))["files"]:
    lines = {l["line_number"]: l["count"] for l in f["lines"] if not l.get("gcovr/noncode")}
    reached = sum(n > 0 for n in lines.values())
    if not lines:
        continue
    part = parts.setdefault(f["file"].split("/")[0], [0, 0])
    part[0] += reached
    part[1] += len(lines)
    files.append((reached / len(lines), reached, len(lines), f["file"]))
    if f["file"].startswith("lib/") and "/programs/" not in f["file"]:
        for number, text in enumerate(open(f["file"], encoding="utf-8"), 1):
            if re.search(r"error_(set|usage)\(e", text) and number in lines:
                messages += 1
                if lines[number] == 0:
                    silent.append(f"{f['file']}:{number}: {text.strip()[:110]}")
for share, reached, count, name in sorted(files)[:25]:
    print(f"{100 * share:6.1f} %  {reached:5d} of {count:5d}  {name}")
print()
for name, (reached, count) in sorted(parts.items()):
    print(f"{100 * reached / count:6.1f} %  {reached:5d} of {count:5d}  {name}/")
print(f"\n{messages - len(silent)} of {messages} places with a message in lib/ are provoked; not these:")
print("\n".join(silent))
