"""openapi.py OPENAPI.json SOURCES VERSION SEEN -- the description and the code.

As a module: reads the description and says what is wrong with an answer
(Description.faults), with a validator for the keywords it uses and no others.
Answers are closed: a member that is not described is a fault unless the schema
says additionalProperties.

As a program: compares the description with the tables, handlers and parameters
in SOURCES (src/server), both ways, and with what was seen of the server (lines
"METHOD ROUTE STATUS" in SEEN).  Prints "ok NAME" and "not ok NAME" lines.
"""
import glob
import json
import os
import re
import sys

KEYWORDS = {"type", "properties", "required", "additionalProperties", "items",
            "minItems", "maxItems", "enum", "const", "pattern", "minimum",
            "maximum", "minLength", "maxLength", "anyOf", "$ref", "description"}
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool,
         "null": type(None)}
ACCESS = {"OPEN": "open", "ANY": "any", "READ": "read", "WRITE": "write",
          "ADMIN": "admin"}
METHODS = ("get", "post", "put", "delete")


class Description:
    def __init__(self, path):
        self.doc = json.load(open(path, encoding="utf-8"))
        self.routes = {}
        for route, methods in self.doc["paths"].items():
            for method, operation in methods.items():
                self.routes[(method.upper(), shape(route))] = (route, operation)
        self.patterns = [(m, re.compile("".join(
            (".+" if part == "{tile}" else "[^/]+") if part[:1] == "{" else
            re.escape(part) for part in re.split(r"(\{\w+\})", route))), route, o)
            for (m, _), (route, o) in self.routes.items()]
        # Plain paths before those with names.
        self.patterns.sort(key=lambda p: "{" in p[2])

    def resolve(self, node):
        while "$ref" in node:
            at = self.doc
            for part in node["$ref"].split("/")[1:]:
                at = at[part]
            node = at
        return node

    def find(self, method, path):
        """(route, operation) of a request; None: there is none."""
        method = "GET" if method == "HEAD" else method
        path = path.split("?")[0]
        for m, pattern, route, operation in self.patterns:
            if m == method and pattern.fullmatch(path):
                return route, operation
        return None

    def parameters(self, operation):
        return [self.resolve(p) for p in operation.get("parameters", [])]

    def faults(self, method, path, status, headers, data):
        """What is not as the description has it, of one answer."""
        found = self.find(method, path)
        if method == "OPTIONS":
            return [] if status in (204, 404) else ["%d for OPTIONS" % status]
        if not found:
            return [] if status in (400, 404, 405) else ["%d of no route" % status]
        if status == 405:
            return []
        answer = found[1]["responses"].get(str(status))
        if not answer:
            return ["status %d is not described" % status]
        answer = self.resolve(answer)
        bad = ["no header " + name for name in answer.get("headers", {})
               if name.lower() not in headers]
        kind = headers.get("content-type", "").split(";")[0]
        if method == "HEAD":
            return bad
        if kind not in answer["content"]:
            return bad + ["content type %s is not described" % kind]
        if kind == "application/json":
            try:
                document = json.loads(data)
            except ValueError:
                return bad + ["the answer is no JSON"]
            bad += self.check(answer["content"][kind]["schema"], document)
        return bad

    def check(self, schema, value, where="", closed=True):
        if "$ref" in schema:
            return self.check(self.resolve(schema), value, where, closed)
        unknown = set(schema) - KEYWORDS
        if unknown:
            raise ValueError("keywords nobody checks: %s" % unknown)
        bad = []
        kind = schema.get("type")
        if kind == "integer":
            if not isinstance(value, int) or isinstance(value, bool):
                return ["%s: no integer" % where]
            if value < schema.get("minimum", value) or \
                    value > schema.get("maximum", value):
                bad.append("%s: %d is out of bounds" % (where, value))
        elif kind and not isinstance(value, TYPES[kind]):
            return ["%s: no %s" % (where, kind)]
        if "enum" in schema and value not in schema["enum"]:
            bad.append("%s: not one of %s" % (where, schema["enum"]))
        if "const" in schema and value != schema["const"]:
            bad.append("%s: not %s" % (where, schema["const"]))
        if "anyOf" in schema:
            each = [self.check(s, value, where, closed) for s in schema["anyOf"]]
            if all(each):
                bad += min(each, key=len)
        if kind == "string":
            size = len(value.encode("utf-8", "surrogatepass"))
            if not re.search(schema.get("pattern", ""), value):
                bad.append("%s: %.70s is not of its form" % (where, value))
            if not schema.get("minLength", 0) <= size <= schema.get("maxLength", size):
                bad.append("%s: length" % where)
        if kind == "array":
            if not schema.get("minItems", 0) <= len(value) <= schema.get(
                    "maxItems", len(value)):
                bad.append("%s: %d items" % (where, len(value)))
            for i, item in enumerate(value):
                bad += self.check(schema["items"], item, "%s/%d" % (where, i), closed)
        if kind == "object":
            members = schema.get("properties", {})
            bad += ["%s/%s: missing" % (where, n)
                    for n in schema.get("required", []) if n not in value]
            if not schema.get("additionalProperties", not closed):
                bad += ["%s/%s: not described" % (where, n)
                        for n in value if n not in members]
            for name, inner in members.items():
                if name in value:
                    bad += self.check(inner, value[name], "%s/%s" % (where, name),
                                      closed)
        return bad


def shape(route):
    return re.sub(r"\{\w+\}", "{}", route.replace("{tile}", "{*}"))


def note_seen(description, method, path, status):
    """For the program below, when VES_SEEN names its file."""
    found = os.environ.get("VES_SEEN") and description.find(method, path)
    if found:
        with open(os.environ["VES_SEEN"], "a") as f:
            f.write("%s %s %d\n" % ("GET" if method == "HEAD" else method,
                                    found[0], status))


# ---- what the code says --------------------------------------------------------


class Code:
    """Routes, and what each handler and all it calls read and answer."""

    # What these ask of the request, wherever they are called.
    READS = {"ves_request_stream": {"tenant_id", "store_id"},
             "ves_request_tenant": {"tenant_id", "store_id"},
             "ves_request_limit": {"limit"}}

    def __init__(self, folder):
        self.bodies, self.routes = {}, {}
        for source in sorted(glob.glob(folder + "/*.c")):
            text = open(source, encoding="utf-8").read()
            text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
            for name, body in re.findall(
                    r"^[a-z][\w \*]*?\b(\w+)\([^;{}]*?\)\n\{\n(.*?)^\}", text,
                    re.S | re.M):
                self.bodies.setdefault(name, []).append((source, body))
            flat = re.sub(r"\s+", " ", text)
            for method, pattern, access, old, handle in re.findall(
                    r"\{VES_METHOD_(\w+), \"([^\"]+)\", VES_ROUTE_\w+, "
                    r"VES_ACCESS_(\w+), (true|false), (\w+)\}", flat):
                self.routes[(method, pattern)] = (access, old == "true", handle,
                                                  source)
            for macro, pattern, handle in re.findall(
                    r"(READ|LEGACY)\(\"([^\"]+)\", (\w+)\)", flat):
                self.routes[("GET", pattern)] = ("READ", macro == "LEGACY",
                                                 handle, source)

    def body_of(self, name, source):
        there = self.bodies.get(name, [])
        same = [b for s, b in there if s == source]
        others = [b for _, b in there] if name.startswith("ves_") else []
        return (same or others or [""])[0]

    def reach(self, route):
        """Bodies of the handler and of all of the server it calls."""
        _, _, handle, source = self.routes[route]
        todo, seen, out = [handle], set(), []
        while todo:
            name = todo.pop()
            if name in seen or name in self.READS or name.startswith(
                    ("ves_request_", "ves_reply", "ves_uri_", "ves_put_")):
                continue
            seen.add(name)
            body = self.body_of(name, source)
            out.append(body)
            todo += re.findall(r"\b(\w+)\b", body)
        return out

    def parameters(self, route):
        """Names of the query it reads, and whether a body."""
        found = set()
        bodies = self.reach(route)
        for body in bodies:
            for name, asked in self.READS.items():
                if name + "(" in body:
                    found |= asked
            found |= set(re.findall(
                r"ves_(?:request_u64|request_wants|uri_uuid|uri_u64|uri_param)"
                r"\(\s*&?request(?:->uri)?,\s*\"(\w+)\"", body))
        # ... and of helpers that are told the name.
        told = [n for n, there in self.bodies.items() if any(re.search(
            r"ves_(request_u64|uri_param)\(\s*&?request(->uri)?, name", b)
            for _, b in there) and not n.startswith("ves_")]
        for body in bodies:
            for name in told:
                found |= set(re.findall(name + r"\(\s*request,[^;]*?\"(\w+)\"", body))
        return found


def report(name, faults):
    print("%s %s" % ("not ok" if faults else "ok", name))
    for fault in sorted(faults)[:40]:
        print("# %s" % (fault,))


def compare(description, code, version, seen):
    report("the description has every route of the code", [
        "%s %s" % r for r in code.routes if r not in description.routes])
    report("and none besides", ["%s %s" % r for r in description.routes
                                if r not in code.routes])
    both = [r for r in code.routes if r in description.routes]
    report("with the right that each wants", [
        r for r in both if description.routes[r][1]["x-ves-right"] !=
        ACCESS[code.routes[r][0]] or
        (description.routes[r][1].get("security") == []) !=
        (code.routes[r][0] == "OPEN")])
    report("and says which are old", [
        r for r in both if description.routes[r][1].get("deprecated", False) !=
        code.routes[r][1]])
    wrong = []
    for r in both:
        said = {p["name"] for p in description.parameters(description.routes[r][1])
                if p["in"] == "query"}
        read = code.parameters(r) if r[0] in ("GET", "DELETE") else set()
        wrong += ["%s %s: %s is read, not described" % (r + (n,)) for n in read - said]
        wrong += ["%s %s: %s is described, not read" % (r + (n,)) for n in said - read]
    report("the parameters are those that are read", wrong)
    report("its version is the program's", [] if description.doc["info"]["version"]
           == version else [version])
    happened = {tuple(line.split()) for line in open(seen)}
    said = {(m, route, status) for (m, _), (route, o) in description.routes.items()
            for status in o["responses"]}
    report("no status was seen that it does not have", [
        h for h in happened - said if h[2] != "405"])
    # What it takes a full disk, a frozen log, a busy server or a limit to see.
    rare = ("429", "500", "503", "409", "413", "400", "403", "401")
    report("what it promises was seen", [
        s for s in said - happened if s[2] not in rare])
    report("bad input was refused on every route that takes any", [
        (m, route) for (m, _), (route, o) in description.routes.items()
        if (o.get("parameters") or o.get("requestBody")) and not any(
            (m, route, s) in happened for s in ("400", "404"))])


def check_document(description):
    doc, bad, ids = description.doc, [], []

    def walk(node):
        if isinstance(node, dict):
            if "$ref" in node:
                try:
                    description.resolve(node)
                except KeyError:
                    bad.append("%s leads nowhere" % node["$ref"])
            for inner in node.values():
                walk(inner)
        elif isinstance(node, list):
            for inner in node:
                walk(inner)

    walk(doc)
    for route, methods in doc["paths"].items():
        for method, o in methods.items():
            ids.append(o["operationId"])
            if method not in METHODS:
                bad.append("%s %s" % (method, route))
            named = {p["name"] for p in description.parameters(o)
                     if p["in"] == "path"}
            if named != set(re.findall(r"\{(\w+)\}", route)):
                bad.append("%s: parameters of the path" % route)
    bad += ["operationId %s twice" % i for i in set(ids) if ids.count(i) > 1]
    used = json.dumps(doc)
    bad += ["%s/%s is not used" % (kind, name)
            for kind in ("schemas", "parameters", "responses")
            for name in doc["components"][kind]
            if '"#/components/%s/%s"' % (kind, name) not in used]
    if doc["openapi"] != "3.1.0":
        bad.append("openapi " + doc["openapi"])
    report("the description holds together", bad)


if __name__ == "__main__":
    DESCRIPTION = Description(sys.argv[1])
    check_document(DESCRIPTION)
    compare(DESCRIPTION, Code(sys.argv[2]), sys.argv[3], sys.argv[4])
