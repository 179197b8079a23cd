"""mcp_docs.py VES STORE README EXAMPLE -- what the documents tell hosts works as it stands: each configuration starts a server,
and the agent definition names tools and calls that there are.  One TAP line a rule.
"""
import json
import os
import re
import shlex
import sys

try:
    import tomllib
except ImportError:
    tomllib = None

from mcp_pipe import Pipe, initialize, request
from mcp_server import Report

ves, store, readme, example = sys.argv[1:5]
report = Report()
ok = report.ok
text = open(readme, encoding="utf-8").read()
section = text[text.index("## For AI agents"):]
section = section[:section.index("\n## ", 5)]


def starts(what, command):
    """The command as a host runs it: `ves` from the PATH, the store where the reader keeps it."""
    command = [store if x == "/path/to/till.db" else x for x in command]
    env = dict(os.environ, PATH=os.path.dirname(ves) + ":" + os.environ["PATH"])
    p = Pipe(command, env=env)
    first = p.ask(initialize())["result"]
    tools = p.ask(request(1, "tools/list"))["result"]["tools"]
    status = p.ask(request(2, "tools/call", name="get_sync_status", arguments={"probe": False}))["result"]
    code, rest, err = p.close()
    ok(f"{what}: starts, is stateset-commerce, has nine tools and the store",
       command[0] == "ves" and first["serverInfo"]["name"] == "stateset-commerce" and len(tools) == 9 and code == 0
       and "isError" not in status and status["structuredContent"]["counts"]["pending"] == 1, [command, first, status, err])
    return [t["name"] for t in tools]


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", section, re.S)


commands = []
for block in blocks("json"):
    servers = json.loads(block)
    servers = servers.get("mcpServers") or servers["servers"]
    commands.append(("JSON", servers["stateset-commerce"]))
for block in blocks("toml"):
    if tomllib:
        config = tomllib.loads(block)["mcp_servers"]["stateset-commerce"]
    else:
        config = {k: json.loads(v) for k, v in re.findall(r"^(command|args) = (.*)$", block, re.M)}
    commands.append(("TOML", config))
for block in blocks("sh"):
    words = shlex.split(block.strip())
    at = words.index("--")
    ok("claude mcp add names the server", words[:4] == ["claude", "mcp", "add", "stateset-commerce"], words)
    commands.append(("command line", {"command": words[at + 1], "args": words[at + 2:]}))
ok("the README has a configuration for each of four hosts", len(commands) == 4, commands)
names = []
for i, (kind, config) in enumerate(commands):
    names = starts(f"README, configuration {i + 1} ({kind})", [config["command"], *config["args"]])

agent = open(example, encoding="utf-8").read()
front, body = agent.split("---\n", 2)[1:]
listed = re.search(r"^tools: (.*)$", front, re.M)[1].split(", ")
ok("the agent definition may use exactly the nine tools", listed == [f"mcp__stateset-commerce__{n}" for n in names], listed)
calls = re.findall(r"`([a-z]+_[a-z_]+) (\{[^`]*\})`", body)
p = Pipe([ves, "mcp", "--db", store])
p.ask(initialize())
tools = {t["name"]: t["inputSchema"] for t in p.ask(request(1, "tools/list"))["result"]["tools"]}
wrong = [c for c in calls if c[0] not in tools or not set(re.findall(r'"(\w+)":', c[1])) <= set(tools[c[0]]["properties"])]
ok(f"its {len(calls)} calls are calls that there are, with arguments that there are", calls and not wrong, wrong)
named = set(re.findall(r"`([a-z]+_[a-z_]+)`", body)) | {c[0] for c in calls}
strange = {n for n in named if n not in tools and not re.search(rf'"{n}"', json.dumps(tools)) and n != "pending_work"
           and n not in ("awaiting_user", "already_resolved")}
ok("and it speaks of nothing else that looks like one", not strange, sorted(strange))
p.close()
report.end()
