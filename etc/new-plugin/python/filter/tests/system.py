"""The program in a real patchbay: what a sender POSTs arrives with the attribute, or not at all.

    tests/system.py ./plugin-name
"""

import sys
from pathlib import Path

from daemon import Daemon

CONFIG = """
[source hooks]
plugin = http
listen = 127.0.0.1:0
event = posted
[filter names]
plugin = exec
command = %(program)s
options = field=report.name, missing=drop
[sink out]
plugin = file
path = %(folder)s/events.jsonl
[route all]
filters = names
to = out
"""


def main(program):
    with Daemon() as daemon:
        daemon.start(CONFIG % {"folder": daemon.folder, "program": Path(program).absolute()})
        daemon.post({"report": {}})
        daemon.post({"report": {"name": "May"}})
        event = next(daemon.events(daemon.folder / "events.jsonl"))
        assert (event["type"], event["subject"]) == ("posted", "May"), event
        assert event["data"] == {"report": {"name": "May"}}, event
        daemon.stop()
    print("system test: passed")


main(sys.argv[1])
