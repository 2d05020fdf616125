"""The plugin keeps what patchbay asks of every plugin, with a receiver that says yes to all, and with none.

    tests/conform.py build/plugin-name.so
"""

import os
import socketserver
import subprocess
import sys
import tempfile
import threading
from pathlib import Path


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        for _ in self.rfile:
            self.wfile.write(b"ok\n")


class Receiver(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        pass  # a plugin that was ended hung up


def main(plugin):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "receiver.sock"
        with Receiver(str(path), Handler) as receiver:
            threading.Thread(target=receiver.serve_forever, daemon=True).start()
            status = subprocess.call([os.environ["PATCHBAY"], "plugin-test", plugin, "path=%s" % path,
                                      "--failing", "path=%s/nobody" % folder])
            receiver.shutdown()
            return status


sys.exit(main(sys.argv[1]))
