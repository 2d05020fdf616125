"""The plugin in a real patchbay: what a sender POSTs arrives with the attribute, or not at all.

    tests/system.py build/plugin-name.so
"""

import sys

from daemon import Daemon

CONFIG = """
[source hooks]
plugin = http
listen = 127.0.0.1:0
event = posted
[filter names]
plugin = plugin-name
field = report.name
missing = drop
[sink out]
plugin = file
path = %(folder)s/events.jsonl
[route all]
filters = names
to = out
"""


def main(plugin):
    with Daemon(plugin) as daemon:
        daemon.start(CONFIG % {"folder": daemon.folder})
        daemon.post({"report": {}})
        daemon.post({"report": {"name": "May"}})
        event = next(daemon.events(daemon.folder / "events.jsonl"))
        assert (event["type"], event["subject"]) == ("posted", "May"), event
        assert event["data"] == {"report": {"name": "May"}}, event
        daemon.stop()
        daemon.check_page("plugin-name", "patchbay-plugin-name.7")
    print("system test: passed")


main(sys.argv[1])
