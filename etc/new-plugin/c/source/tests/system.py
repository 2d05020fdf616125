"""The plugin in a real patchbay: what is appended to a file arrives, each line once, also over a restart.

    tests/system.py build/plugin-name.so
"""

import sys

from daemon import Daemon

CONFIG = """
[source lines]
plugin = plugin-name
path = %(folder)s/lines.txt
interval = 20ms
[sink out]
plugin = file
path = %(folder)s/events.jsonl
[route all]
to = out
"""


def main(plugin):
    with Daemon(plugin) as daemon:
        config = CONFIG % {"folder": daemon.folder}
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
        daemon.check_page("plugin-name", "patchbay-plugin-name.7")
    print("system test: passed")


main(sys.argv[1])
