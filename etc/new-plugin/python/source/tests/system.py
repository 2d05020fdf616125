"""The program in a real patchbay: what is appended to a file arrives, each line once, also over a restart.

    tests/system.py ./plugin-name
"""

import sys
from pathlib import Path

from daemon import Daemon

CONFIG = """
[source lines]
plugin = exec
command = %(program)s
options = path=%(folder)s/lines.txt, interval=0.02
type = line
[sink out]
plugin = file
path = %(folder)s/events.jsonl
[route all]
to = out
"""


def main(program):
    with Daemon() as daemon:
        config = CONFIG % {"folder": daemon.folder, "program": Path(program).absolute()}
        lines = daemon.folder / "lines.txt"
        lines.write_text("one\n")
        daemon.start(config)
        events = daemon.events(daemon.folder / "events.jsonl")
        event = next(events)
        assert (event["data"], event["type"], event["source"]) == ("one", "line", "lines"), event
        daemon.stop()

        with lines.open("a") as file:
            file.write("two\n")
        daemon.start(config)
        event = next(events)
        assert event["data"] == "two", event
        daemon.stop()
    print("system test: passed")


main(sys.argv[1])
