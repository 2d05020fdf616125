"""The program in a real patchbay: what a sender POSTs is sent, and sent again when it has to be.

    tests/system.py ./plugin-name
"""

import json
import socket
import sys
from pathlib import Path

from daemon import LIMIT, Daemon

CONFIG = """
[source hooks]
plugin = http
listen = 127.0.0.1:0
event = posted
[sink out]
plugin = exec
command = %(program)s
options = path=%(socket)s
retry = 10ms
[route all]
to = out
"""


def main(program):
    with Daemon() as daemon, socket.socket(socket.AF_UNIX) as listener:
        path = str(daemon.folder / "receiver.sock")
        listener.settimeout(LIMIT)
        listener.bind(path)
        listener.listen()
        daemon.start(CONFIG % {"socket": path, "program": Path(program).absolute()})
        daemon.post({"n": 1})
        connection, _ = listener.accept()
        connection.settimeout(LIMIT)
        with connection, connection.makefile("rw", encoding="utf-8") as receiver:
            def answer(text):
                event = json.loads(receiver.readline())
                receiver.write(text + "\n")
                receiver.flush()
                return event["id"], event["data"]

            first = answer("later 0")
            assert first[1] == {"n": 1}, first
            assert answer("ok") == first
            daemon.post({"n": 2})
            assert answer("ok")[1] == {"n": 2}
            daemon.stop()
    print("system test: passed")


main(sys.argv[1])
