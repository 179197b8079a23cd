"""extract.py readme FILE | man FILE -- the examples of a document, as a shell
script (readme: fenced blocks after "<!-- test: NAME -->"; man: the literal
displays of EXAMPLES)."""
import re
import sys

kind, path = sys.argv[1:3]
text = open(path, encoding="utf-8").read()
if kind == "readme":
    blocks = re.findall(r"<!-- test: ([\w-]+) -->\n```sh\n(.*?)```", text, re.S)
    for name, body in blocks:
        print("echo '== %s'" % name)
        print(body)
    if not blocks:
        sys.exit("no marked blocks in " + path)
else:
    section = text[text.index(".Sh EXAMPLES"):]
    section = section[:section.find("\n.Sh ", 1)]
    blocks = re.findall(r"^\.Bd -literal[^\n]*\n(.*?)^\.Ed", section, re.S | re.M)
    for body in blocks:
        for escape, plain in ((r"\e", "\\"), (r"\(dq", '"'), (r"\&", ""), (r"\-", "-")):
            body = body.replace(escape, plain)
        print(body)
    if not blocks:
        sys.exit("no displays in EXAMPLES of " + path)
