"""The program, spoken with as patchbay does: no daemon, and no waiting without end."""

import json
import subprocess
import threading
from pathlib import Path

PROGRAM = Path(__file__).parents[1] / "plugin-name"
LIMIT = 60  # seconds: more than any answer needs, also on a busy machine


class Program:
    def __init__(self, timeout=20000, **options):
        self.process = subprocess.Popen([PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")
        self.alarm = threading.Timer(LIMIT, self.process.kill)
        self.alarm.start()
        self.tell("hello", protocol=1, kind="plugin-kind", name="test", options=options, max_event=1000000,
                  max_message=10000000, timeout=timeout)

    def tell(self, kind, /, **value):
        self.process.stdin.write(json.dumps({kind: value}) + "\n")
        self.process.stdin.flush()

    def hear(self, kind):
        """The program's next message, which has to be of this kind."""
        line = self.process.stdout.readline()
        (heard, value), = json.loads(line or '{"nothing": null}').items()
        assert heard == kind, "expected %s, got %s" % (kind, line)
        return value

    def stop(self):
        """Let it end; its exit status."""
        self.tell("stop")
        return self.process.wait(LIMIT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.alarm.cancel()
        self.process.kill()
        self.process.communicate()
