#!/usr/bin/env python3
"""receiver.py - prints every HTTP request that it gets, and answers 204.

The first line it prints is its own address. It ends with SIGTERM or Ctrl-C.
"""

import argparse
import http.server
import signal
import sys


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        self.send_response(204)
        self.end_headers()
        print("%s %s %s %s" % (self.command, self.path, self.headers.get("webhook-id", "-"),
                               body.decode(errors="replace").rstrip("\n")), flush=True)

    do_GET = do_PUT = do_POST

    def log_message(self, format, *args):
        pass  # the request itself is printed


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8090, help="0 takes any that is free")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with http.server.ThreadingHTTPServer((options.address, options.port), Handler) as server:
        server.daemon_threads = True
        print("listening on %s:%d" % server.server_address[:2], flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
