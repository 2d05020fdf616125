#!/usr/bin/python3
"""A sink: events are rows of an SQLite table, one commit for all that come together. An event that comes
again finds its row there. options = path=/var/lib/x.db"""
import json
import sqlite3
import sys


def say(kind, **members):
    print(json.dumps({kind: members}), flush=True)


options = json.loads(sys.stdin.readline())["hello"]["options"]
try:
    db = sqlite3.connect(options["path"])
    db.execute("create table if not exists events (id text primary key, type text, event text)")
except (KeyError, sqlite3.Error) as error:
    say("error", option="path", reason=str(error))
    sys.exit(78)
say("ready", protocol=1, max_in_flight=256,
    metrics=[{"name": "rows", "kind": "counter", "help": "Rows added."}])
taken = []
for line in sys.stdin:
    kind, body = next(iter(json.loads(line).items()))
    if kind == "stop":
        break
    taken += [(body["token"], body["event"])] if kind == "deliver" else []
    if body.get("more") or not taken:
        continue
    rows = [(event["id"], event["type"], json.dumps(event)) for _, event in taken]
    code, reason = "ok", "committed"
    try:
        with db:
            say("metric", name="rows", add=db.executemany(
                "insert or ignore into events values (?, ?, ?)", rows).rowcount)
    except sqlite3.Error as error:
        code, reason = "down", str(error)
    for token, _ in taken:
        say("answer", token=token, code=code, reason=reason)
    taken.clear()
