"""What several benches share: the daemon and others as programs, nginx as a receiver, medians, tables."""

import argparse
import json
import os
import re
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
PATH = os.environ["PATH"] + ":/usr/sbin"
NGINX = """
worker_processes 1; daemon off; master_process off; pid {dir}/nginx.pid; error_log {dir}/nginx.err;
worker_rlimit_nofile {files};
events {{ worker_connections {files}; }}
http {{
    client_body_temp_path {dir}/b; proxy_temp_path {dir}/p; fastcgi_temp_path {dir}/f;
    uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
    access_log off; keepalive_requests 100000000; keepalive_timeout 600s; client_body_buffer_size 4k;
    server {{
        listen 0.0.0.0:{port} backlog=8192;
        location / {{ return 204; }}
        location = /status {{ stub_status; }}
    }}
}}
"""


def free_port(given=set()):
    """One that was not given before: who asked first may not listen yet."""
    while True:
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        if port not in given:
            given.add(port)
            return port


def address(i):
    """One of its own on the loopback for the i-th receiver."""
    return "127.%d.%d.%d" % (2 + i // 62500, i // 250 % 250, 1 + i % 250)


def arguments(doc, *more):
    """The options that all have, and `more`: (name, dict for add_argument)."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--patchbay", required=True, help="the program")
    parser.add_argument("--plugins", required=True, help="the folder of its plugins")
    parser.add_argument("--probe", default="bench/probe", help="the folder of probe and fill")
    parser.add_argument("--dir", default=".", help="where to write: a folder on a real disk")
    parser.add_argument("--runs", type=int, default=3)
    for name, how in more:
        parser.add_argument(name, **how)
    args = parser.parse_args()
    args.dir = Path(args.dir).resolve()
    args.probe = Path(args.probe).resolve()
    return args


def need(*tools):
    for tool in tools:
        if shutil.which(tool, path=PATH) is None:
            raise SystemExit("%s is missing: apt-get install %s" % (tool, tool))


def open_files():
    """Raise the limit as far as it goes, and say what it is."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def numbers(*argv):
    """The line of JSON that a program prints."""
    return json.loads(subprocess.run([str(word) for word in argv], capture_output=True, text=True, check=True).stdout)


def folder(args, name):
    return tempfile.TemporaryDirectory(prefix="bench-%s-" % name, dir=args.dir)


class Program:
    """A program that listens, for a `with`; `took` is how long that took."""

    def __init__(self, argv, where, port):
        self.log = Path(where) / "log"
        began = time.monotonic()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([str(word) for word in argv], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)
        self.port = port
        self.wait(began)

    def wait(self, began):
        while time.monotonic() < began + 60 and self.process.poll() is None:
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", self.port)) == 0:
                    self.took = time.monotonic() - began
                    return
            time.sleep(0.002)
        self.__exit__()
        raise SystemExit("%s does not listen\n%s" % (self.process.args[0], self.log.read_text()[-4000:]))

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def memory(self):
        """Bytes resident."""
        status = Path("/proc/%d/status" % self.process.pid).read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) * 1024

    def cpu(self):
        """Seconds that all its threads have used."""
        fields = Path("/proc/%d/stat" % self.process.pid).read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Patchbay:
    """A daemon with its folder; `config` has {dir} and {port} for its state's folder and its HTTP source."""

    def __init__(self, args, where, config):
        self.args, self.folder, self.port = args, Path(where), free_port()
        self.state = self.folder / "state"
        self.config = self.folder / "patchbay.ini"
        self.config.write_text(config.format(dir=self.folder, port=self.port))

    def command(self, *words):
        return [self.args.patchbay, *words, "-c", self.config, "--plugin-dir", self.args.plugins]

    def run(self):
        return Program(self.command("run"), self.folder, self.port)

    def lanes(self):
        done = subprocess.run([str(word) for word in self.command("status", "--json")],
                              capture_output=True, text=True, check=True).stdout
        return [row for row in map(json.loads, done.splitlines()) if row["type"] == "lane"]

    def fill(self, *words):
        subprocess.run([str(word) for word in (self.args.probe / "fill", self.state, *words)], check=True)

    def emit(self, body=b'{"event":"probe"}'):
        request = urllib.request.Request("http://127.0.0.1:%d/" % self.port, body,
                                         {"content-type": "application/json"})
        urllib.request.urlopen(request, timeout=20).read()


class Nginx(Program):
    """A receiver on every address of 127.0.0.0/8."""

    def __init__(self, where):
        self.where, self.port, self.asked = Path(where), free_port(), 0
        config = self.where / "nginx.conf"
        config.write_text(NGINX.format(dir=where, port=self.port, files=open_files() - 100))
        nginx = shutil.which("nginx", path=PATH)
        super().__init__([nginx, "-c", config, "-e", self.where / "nginx.err"], where, self.port)
        self.base = self.requests()

    def requests(self):
        """How many came in, these questions left out."""
        text = urllib.request.urlopen("http://127.0.0.1:%d/status" % self.port, timeout=20).read().decode()
        self.asked += 1
        return int(re.search(r"\d+ \d+ (\d+)\s", text).group(1)) - self.asked


def median(values):
    return statistics.median(values)


def progress(text):
    print(text, file=sys.stderr)


def table(head, rows):
    """Text columns: the first to the left."""
    rows = [[str(cell) for cell in row] for row in [head, *rows]]
    wide = [max(len(row[i]) for row in rows) for i in range(len(head))]
    for row in rows:
        print("  ".join(cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, wide))).rstrip())
