"""What the engine's own scenarios stand on: plugins that do as they are told, and the store read offline."""

import http.client
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from harness import SLOW, lines, objects, read, wait_until

TESTS = Path(os.environ.get("PATCHBAY_TESTS",
                            Path(os.environ.get("PATCHBAY_PLUGINS", ".")).parent / "tests"))
SUBMIT, WRITE = "scripted_submit", "scripted"


def plugin_folder(folder):
    """A plugin directory with copies of all plugins, the tests' own among them."""
    plugins = Path(folder) / "plugins"
    plugins.mkdir()
    for where in (Path(os.environ["PATCHBAY_PLUGINS"]), TESTS / "system" / "plugins"):
        for plugin in where.glob("*.so"):
            shutil.copy(plugin, plugins)
            (plugins / plugin.name).chmod(0o755)
    return plugins


@pytest.fixture
def engine(folder, patchbay, monkeypatch):
    """engine(config, …): a daemon as of patchbay(), with the tests' plugins; $DIR in the
    configuration is the test's folder. See Engine."""
    monkeypatch.setenv("PATCHBAY_PLUGINS", str(plugin_folder(folder)))

    def make(config, core="", start=True, **kw):
        daemon = patchbay(written(folder, config, core), start=start, **kw)
        return Engine(folder, daemon)

    return make


def written(folder, config, core=""):
    head = "[patchbay]\nstate = $DIR/state\n%s\n" % core
    return (head + config).replace("$DIR", str(folder))


HTTP = """
[source in]
plugin = http
listen = 127.0.0.1:0
"""


def sink(name="out", plugin=SUBMIT, options="", route="all", filters=""):
    """A scripted sink NAME, told by the file NAME.script, logging to NAME.log, and a route to it."""
    return """
[sink %(name)s]
plugin = %(plugin)s
log = $DIR/%(name)s.log
script = $DIR/%(name)s.script
%(options)s

[route %(route)s]
to = %(name)s
%(filters)s
""" % {"name": name, "plugin": plugin, "options": options, "route": route,
       "filters": "filters = " + filters if filters else ""}


class Engine:
    """A daemon, what goes in, and what came out."""

    def __init__(self, folder, daemon):
        self.folder, self.daemon = folder, daemon
        self.connection = None

    def __getattr__(self, name):
        return getattr(self.daemon, name)

    def post(self, **fields):
        """One event by HTTP; its id. The type is the field `event`, "x" if there is none."""
        answer = self.ask({"event": "x", **fields})
        assert answer[0] == 202, answer
        return answer[1]["id"]

    def ask(self, body):
        """POST; the status, the answer's body, its headers."""
        if self.connection is None:
            host, port = self.daemon.addresses("in")[0].rsplit(":", 1)
            self.connection = http.client.HTTPConnection(host, int(port), timeout=20 * SLOW)
        self.connection.request("POST", "/", json.dumps(body),
                                {"content-type": "application/json"})
        answer = self.connection.getresponse()
        return answer.status, json.loads(answer.read()), answer.headers

    def start(self, config=None, core="", **kw):
        self.connection = None
        if config is not None:
            self.daemon.configure(written(self.folder, config, core))
        self.daemon.start(**kw)

    def restart(self, config=None, core="", kill=False):
        self.daemon.kill() if kill else self.daemon.stop()
        self.start(config, core)

    def script(self, word, name="out"):
        """What the sink answers from now on; None: what the events say."""
        path = self.folder / (name + ".script")
        if word is None:
            path.unlink(missing_ok=True)
            return
        fresh = self.folder / (name + ".script~")
        fresh.write_text(word)
        fresh.rename(path)

    def log(self, name="out"):
        return objects(self.folder / (name + ".log"))

    def wait_log(self, count, name="out", timeout=10):
        path = self.folder / (name + ".log")
        wait_until(lambda: len(lines(path)) >= count, timeout,
                   "%d deliveries to %s, of which there are %d" % (count, name, len(lines(path))))
        return self.log(name)

    def delivered(self, name="out"):
        """The ids that were answered ok, in order."""
        return [d["id"] for d in self.log(name) if d["answer"] == "ok"]

    def wait_delivered(self, ids, name="out", timeout=10):
        """Until each id was answered ok; the deliveries."""
        wait_until(lambda: set(ids) <= set(self.delivered(name)), timeout, "all delivered")
        return self.log(name)

    def row(self, **match):
        """The status row with these members."""
        return next(row for row in self.daemon.status()
                    if all(row.get(k) == v for k, v in match.items()))

    def lane(self, name="out"):
        return self.row(type="lane", sink=name)

    def wait_lane(self, name="out", timeout=10, **members):
        """Until the lane's status has these members."""
        wait_until(lambda: members.items() <= self.lane(name).items(), timeout,
                   "%r in %r" % (members, self.lane(name)))

    def journal(self):
        return self.row(type="daemon")["journal"]

    def rss(self):
        """KiB of memory now."""
        for line in read("/proc/%d/status" % self.daemon.pid).decode().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1])
        raise AssertionError("the daemon has ended")

    def store(self, *options):
        """The rows of the store of a daemon that has ended; fails if an invariant does."""
        rows, wrong = inspect(self.daemon.state, *options)
        assert not wrong, wrong
        return rows


def inspect(state, *options):
    """A store's rows by tests/crash/invariants.c, which only reads, and what does not hold."""
    done = subprocess.run([str(TESTS / "crash" / "invariants"), str(state), *options],
                          capture_output=True, text=True, check=False)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    wrong = [row["what"] for row in rows if row["type"] == "broken"]
    if done.returncode != 0 and not wrong:
        wrong = ["invariants: status %d: %s" % (done.returncode, done.stderr)]
    return rows, wrong


def of(rows, kind):
    return [row for row in rows if row["type"] == kind]
