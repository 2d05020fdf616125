"""A real patchbay with a configuration and a folder of its own, for system tests.

Nothing here sleeps: what must come is waited for, with a limit that is long.
"""

import json
import os
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import urllib.request
from pathlib import Path

LIMIT = 60  # seconds: more than any wait needs, also on a busy machine


class Lines:
    """The lines that a program prints, to be waited for one by one, and shown."""

    def __init__(self, stream):
        self.queue = queue.Queue()
        threading.Thread(target=self._read, args=[stream], daemon=True).start()

    def _read(self, stream):
        for line in stream:
            sys.stderr.write(line)
            self.queue.put(line)
        self.queue.put(None)

    def next(self):
        line = self.queue.get(timeout=LIMIT)
        assert line is not None, "the program ended"
        return line


class Daemon:
    """patchbay, until the end of a `with` block."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="pb-"))
        self.config = self.folder / "test.ini"
        self.programs = []
        self.options = ["-c", str(self.config), "--plugin-dir", os.environ["PATCHBAY_PLUGINS"]]

    def _begin(self, *argv, **streams):
        self.programs.append(subprocess.Popen(argv, encoding="utf-8", **streams))
        return self.programs[-1]

    def start(self, config):
        """Run it with a configuration until it is ready."""
        self.config.write_text("[patchbay]\nstate = %s/state\n%s" % (self.folder, config))
        self.process = self._begin(os.environ["PATCHBAY"], "run", *self.options, stderr=subprocess.PIPE)
        self.log = Lines(self.process.stderr)
        self.wait_log("ready: ")

    def wait_log(self, pattern):
        """Wait until a line is logged in which the regular expression is found."""
        line = ""
        while not re.search(pattern, line):
            line = self.log.next()
            listens = re.search(r" listening on (\S+)", line)
            if listens:
                self.address = listens.group(1)

    def events(self, path):
        """What a sink of plugin file writes to `path`, event by event."""
        tail = self._begin("tail", "-n", "+1", "-f", path, stdout=subprocess.PIPE)
        lines = Lines(tail.stdout)
        while True:
            yield json.loads(lines.next())

    def post(self, body):
        """Send JSON to the source of plugin http, and wait until that says that the event is safe."""
        request = urllib.request.Request("http://%s/" % self.address, json.dumps(body).encode(),
                                         {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=LIMIT) as answer:
            assert answer.status == 202, answer.status

    def stop(self):
        """End it in order; what it had not delivered is there at the next start()."""
        self.process.terminate()
        assert self.process.wait(LIMIT) == 0, "patchbay failed"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for program in self.programs:
            program.kill()
            program.wait()
        shutil.rmtree(self.folder)
