#!/usr/bin/python3
"""A source: each line that is added to a file is an event. The mark is how far it has come, so none
comes twice or is missed, whatever dies. options = path=/var/log/x.log"""
import json, queue, sys, threading  # noqa: E401

inbox = queue.Queue()

def listen():
    for line in sys.stdin:
        inbox.put(next(iter(json.loads(line).items())))
    inbox.put(("stop", {}))         # the daemon died

def say(kind, **members):
    print(json.dumps({kind: members}), flush=True)


threading.Thread(target=listen, daemon=True).start()
path = inbox.get()[1]["options"].get("path", "")
try:
    lines = open(path, "rb")
except OSError as error:
    say("error", option="path", reason=str(error))
    sys.exit(78)
say("ready", protocol=1)
say("restore", key=path)
lines.seek(int(inbox.get()[1].get("value") or 0))
while True:
    line = lines.readline()
    if whole := line.endswith(b"\n"):
        say("emit", token=lines.tell(), mark={"key": path, "value": str(lines.tell())},
            events=[{"type": "line", "datacontenttype": "text/plain", "data": line[:-1].decode(errors="replace")}])
    else:
        lines.seek(-len(line), 1)
    try:
        kind, body = inbox.get(not whole, 0.2)
    except queue.Empty:
        continue
    if kind == "stop" or (kind == "receipt" and body["outcome"] != "accepted"):
        sys.exit(0 if kind == "stop" else 75)   # started again, it begins from the mark
