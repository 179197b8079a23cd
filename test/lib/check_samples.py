"""check_samples.py SAMPLES.json NAME DOCUMENT FIELD...

Every FIELD (dotted, "events.0.type") must be in the published sample NAME, and
in DOCUMENT, with a value of the same kind.  A time may be null.
"""
import json
import sys


def get(document, path):
    for part in path.split("."):
        document = document[int(part) if isinstance(document, list) else part]
    return document


def kind(value):
    if value is None:
        return "null"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return "number"
    return type(value).__name__


samples, name, document = sys.argv[1:4]
sample = json.load(open(samples, encoding="utf-8"))[name]
document = json.loads(document)
for field in sys.argv[4:]:
    wanted, got = kind(get(sample, field)), kind(get(document, field))
    if got != wanted and not (field.endswith("At") and got == "null"):
        sys.exit("%s: %s is %s, in the sample %s" % (name, field, got, wanted))
