"""check_picture.py FILE [WORDS...] -- an audit's picture: XML, nothing beyond its
edges, and these words in it."""
import re
import sys
import xml.etree.ElementTree as ET

SIZES = {"title": 18, "told": 12, "check": 12, "small": 10, "id": 10}
root = ET.parse(sys.argv[1]).getroot()
width, height = float(root.get("width")), float(root.get("height"))
words, problems, rows = [], [], {}
for e in root.iter():
    tag = e.tag.split("}")[1]
    if tag == "rect" and e.get("width") != "100%":
        if float(e.get("x")) + float(e.get("width")) > width or float(e.get("y")) + float(e.get("height")) > height:
            problems.append("a rectangle is outside")
    if tag != "text":
        continue
    text = (e.text or "") + "".join((c.text or "") for c in e if c.tag.endswith("tspan"))
    words.append(text)
    names = (e.get("class") or "").split()
    size = next((SIZES[n] for n in names if n in SIZES), 13)
    long = len(text) * size * 0.6
    x, y = float(e.get("x")), float(e.get("y"))
    left = x - long if "end" in names else x - long / 2 if "badge" in names else x
    if left < 0 or left + long > width or y > height:
        problems.append("outside: " + text)
    for other_left, other_right, other in rows.get(y, []):
        if left < other_right and other_left < left + long:
            problems.append("one over the other: %s, %s" % (text, other))
    rows.setdefault(y, []).append((left, left + long, text))
for wanted in sys.argv[2:]:
    if not re.search(wanted, "\n".join(words), re.MULTILINE):
        problems.append("nowhere: " + wanted)
print("\n".join(problems))
sys.exit(1 if problems else 0)
