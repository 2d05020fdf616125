"""What the scenarios stand on: the daemon, its real counterparts, and waiting for conditions.

Nothing here sleeps for a fixed time: wait_until() looks until a condition holds.
"""

import http.server
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

SLOW = float(os.environ.get("PATCHBAY_SLOW", "1"))  # sanitizers stretch every limit
REPORT = re.compile(
    r"(ERROR|WARNING): (Address|Leak|Thread|Memory)Sanitizer|runtime error:|Assertion .* failed"
)


def wait_until(condition, timeout=10, what=None):
    """Return condition()'s first true value; fail after `timeout` seconds."""
    end = time.monotonic() + timeout * SLOW
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("not within %g s: %s" % (timeout * SLOW, what or condition))
        time.sleep(0.005)


def free_port(kind=socket.SOCK_STREAM):
    """A port of 127.0.0.1 that was free a moment ago. Prefer port 0 where a program takes it."""
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def accepts(port):
    """Whether something listens on the TCP port."""
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def read(path):
    """A file's bytes; none if it is not there."""
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        return b""


def lines(path):
    """A file's whole lines; one that is still being written is not among them."""
    return read(path).decode(errors="surrogateescape").split("\n")[:-1]


def objects(path):
    """A file's lines as JSON."""
    return [json.loads(line) for line in lines(path)]


# LeakSanitizer's tracer itself crashed, as the last thing a program says. Of a daemon it is excused after it had
# ended in order: no report of a leak is, and no status of an earlier run.
TRACER_FAILED = (r"Tracer caught signal [^\n]*\n==\d+==LeakSanitizer has encountered a fatal error\.\n"
                 r"(==\d+==HINT: [^\n]*\n)*\Z")
LEAK_SEARCH_FAILED = re.compile(r" info stopped\n" + TRACER_FAILED)


def repeatable(*args, **kw):
    """subprocess.run() of a command that changes nothing, its output as bytes: once more when LeakSanitizer itself
    failed; if it does so again, what it says of that is left out, and its exit status stands."""
    for _ in range(2):
        done = subprocess.run(*args, capture_output=True, check=False, **kw)
        if not re.search(TRACER_FAILED.encode(), done.stderr):
            return done
    done.stderr = re.sub(TRACER_FAILED.encode(), b"", done.stderr)
    return done


class Process:
    """A program in the foreground, its output in a file, stopped at the test's end."""

    def __init__(self, folder, name, argv, env=None, limits=None, output=None):
        self.name, self.argv, self.env = name, [str(a) for a in argv], env
        self.limits = limits or {}
        self.output = Path(output or Path(folder) / (name + ".log"))
        self.process = None

    def _limit(self):
        for which, value in self.limits.items():
            resource.setrlimit(which, (value, value))

    def start(self):
        assert self.process is None
        with open(self.output, "ab") as out:
            self.process = subprocess.Popen(
                self.argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                env={**os.environ, **(self.env or {})},
                preexec_fn=self._limit if self.limits else None)
        return self

    @property
    def pid(self):
        return self.process.pid

    @property
    def log(self):
        return read(self.output).decode(errors="replace")

    def running(self):
        return self.process is not None and self.process.poll() is None

    def send(self, which):
        self.process.send_signal(which)

    def ended(self, timeout=15):
        """The exit status once it has ended; a negative number is a signal's."""
        try:
            status = self.process.wait(timeout * SLOW)
        except subprocess.TimeoutExpired:
            raise AssertionError("%s did not end\n%s" % (self.name, self.log[-4000:])) from None
        self.process = None
        return status

    def ends_within(self, seconds):
        """Wait for its end so long at most; whether it came, for ended() to tell how."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def stop(self, timeout=15, which=signal.SIGTERM, expect=0):
        self.send(which)
        status = self.ended(timeout)
        if (status, expect) == (1, 0) and LEAK_SEARCH_FAILED.search(self.log[-2000:]):
            return
        assert status == expect, "%s: exit status %d\n%s" % (self.name, status, self.log[-4000:])

    def kill(self):
        """End at once, as `kill -9` does."""
        if self.running():
            self.send(signal.SIGKILL)
            self.ended()


class Daemon(Process):
    """patchbay itself, with a configuration and a state folder of its own."""

    LISTENS = re.compile(r"\[(?:source )?([^\]\s]+)\] listen\S* (?:on )?(\S+)")

    def __init__(self, folder, config, *options, env=None, limits=None, wrap=()):
        self.folder = Path(folder)
        self.config = self.folder / "patchbay.ini"
        self.state = self.folder / "state"
        self.control = self.state / "control.sock"
        self.program = os.environ["PATCHBAY"]
        self.plugins = os.environ["PATCHBAY_PLUGINS"]
        self.configure(config)
        argv = [*wrap, self.program, "run", "-c", self.config, "--plugin-dir", self.plugins]
        super().__init__(folder, "patchbay", [*argv, *options], env, limits)
        self.seen = 0

    def configure(self, text):
        """Write the configuration; a [patchbay] section with the state folder unless it has one."""
        if "[patchbay]" not in text:
            text = "[patchbay]\nstate = %s\n\n%s" % (self.state, text)
        self.config.write_text(text)

    def start(self, wait=True):
        self.seen = len(self.log)
        super().start()
        if wait:
            self.wait_log(r"\bready\b", timeout=20)
        return self

    @property
    def fresh(self):
        """What was logged since the last start."""
        return self.log[self.seen:]

    def wait_log(self, pattern, timeout=10):
        """The match of a regular expression in what was logged since the last start."""
        def look():
            match = re.search(pattern, self.fresh, re.M)
            if match is None and not self.running():
                raise AssertionError("patchbay ended\n" + self.fresh[-4000:])
            return match
        return wait_until(look, timeout, "%r in the log:\n%s" % (pattern, self.fresh[-4000:]))

    def addresses(self, section):
        """Where a source listens in fact, in the order of its option: "127.0.0.1:40123"."""
        return [where.rstrip(",") for name, where in self.LISTENS.findall(self.fresh)
                if name == section]

    def url(self, section, path="/"):
        return "http://%s%s" % (self.addresses(section)[0], path)

    def command(self, *args, env=None, timeout=30):
        """Run `patchbay COMMAND … -c FILE`."""
        argv = [self.program, args[0], "-c", self.config, "--plugin-dir", self.plugins, *args[1:]]
        return subprocess.run(argv, capture_output=True, text=True, timeout=timeout * SLOW,
                              env={**os.environ, **(env or {})}, check=False)

    def status(self):
        done = self.command("status", "--json")
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def complaint(self):
        """The first line of a sanitizer or an assertion, if there is any."""
        found = REPORT.search(self.log)
        return found and self.log[found.start():found.start() + 6000]


class Prefix:
    """All that `make install` puts somewhere, and nothing else: `env` lets pkg-config find it there."""

    def __init__(self, folder):
        build = Path(os.environ["PATCHBAY_TESTS"]).parent
        self.root = Path(folder)
        self.root.mkdir(exist_ok=True)
        self.root.chmod(0o755)
        kept = {name: value for name, value in os.environ.items()
                if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "DESTDIR")}
        self.argv = ["make", "-C", build, "DESTDIR=%s" % self.root]
        self.env = kept
        self.make("install")
        pc, = self.root.rglob("patchbay.pc")
        self.path = Path(str(self.root) + re.search("^prefix=(.*)", pc.read_text(), re.M).group(1))
        for file in pc.parent.glob("*.pc"):
            file.write_text(re.sub("^prefix=.*", "prefix=%s" % self.path, file.read_text(), flags=re.M))
        paths = [str(pc.parent), *filter(None, [os.environ.get("PKG_CONFIG_PATH")])]
        self.env = {**kept, "PKG_CONFIG_PATH": ":".join(paths), "PYTHON": sys.executable,
                    "PATH": os.path.dirname(sys.executable) + ":" + os.environ["PATH"]}
        self.patchbay, self.plugins = self.path / "bin/patchbay", self.path / "lib/patchbay"

    def make(self, target):
        done = subprocess.run([*self.argv, target], env=self.env, check=False, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert done.returncode == 0, done.stdout


class Response:
    """An answer to curl()."""

    def __init__(self, status, head, body):
        self.status, self.body = status, body
        self.headers = {}
        for line in head.split("\r\n")[1:]:
            name, colon, value = line.partition(":")
            if colon:
                self.headers[name.strip().lower()] = value.strip()

    def json(self):
        return json.loads(self.body)


def curl(url, *options, data=None, timeout=20):
    """Ask with curl; `data` (bytes or text) makes it a POST of JSON unless a header says else."""
    argv = ["curl", "-sS", "-i", "--max-time", str(timeout * SLOW), "-H", "expect:",
            "--expect100-timeout", str(timeout)]
    if data is not None:
        if not any(word.lower().startswith("content-type:") for word in options):
            argv += ["-H", "content-type: application/json"]
        argv += ["--data-binary", "@-"]
        data = data.encode() if isinstance(data, str) else data
    done = subprocess.run([*argv, *options, url], input=data, capture_output=True, check=False)
    assert done.returncode == 0, "curl: %s" % done.stderr.decode(errors="replace")
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    while head.startswith(b"HTTP/1.1 100"):
        head, _, body = body.partition(b"\r\n\r\n")
    return Response(int(head.split()[1]), head.decode("latin-1"), body)


class Request:
    """What a Receiver was sent."""

    def __init__(self, method, path, headers, body):
        self.method, self.path, self.headers, self.body = method, path, headers, body
        self.time = time.monotonic()

    def json(self):
        return json.loads(self.body)


class Receiver:
    """An HTTP server for what nginx cannot do: told its answers one by one, or holding them.

    `answer` is called with each Request and returns a status, or (status, headers, body);
    it may block on an event of the test's.
    """

    def __init__(self, answer=lambda request: 204, port=0):
        self.requests, self.answer = [], answer
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                length = int(self.headers.get("content-length") or 0)
                headers = {k.lower(): v for k, v in self.headers.items()}
                request = Request(self.command, self.path, headers, self.rfile.read(length))
                receiver.requests.append(request)
                answer = receiver.answer(request)
                status, more, body = answer if isinstance(answer, tuple) else (answer, {}, b"")
                self.send_response(status)
                for name, value in more.items():
                    self.send_header(name, value)
                if status >= 200 and status != 204:
                    self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_PUT = do_POST

            def log_message(self, format, *args):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, request, client_address):
                pass  # a peer that hung up

        self.server = Server(("127.0.0.1", port), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def url(self, path="/"):
        return "http://127.0.0.1:%d%s" % (self.port, path)

    def wait(self, count, timeout=10):
        wait_until(lambda: len(self.requests) >= count, timeout, "%d requests" % count)
        return self.requests

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Nginx(Process):
    """Real nginx. It answers each path of `answers` with that status, any other with 204, and
    logs method, path, headers and body of all as JSON."""

    CONFIG = """
        worker_processes 1; daemon off; master_process off; pid %(dir)s/nginx.pid;
        error_log %(dir)s/nginx.err warn;
        worker_rlimit_nofile 8192; events { worker_connections 8192; }
        http {
            client_body_temp_path %(dir)s/nginx.body; proxy_temp_path %(dir)s/nginx.proxy;
            fastcgi_temp_path %(dir)s/nginx.f; uwsgi_temp_path %(dir)s/nginx.u;
            scgi_temp_path %(dir)s/nginx.s;
            client_max_body_size 16m; client_body_buffer_size 16m; client_body_in_single_buffer on;
            keepalive_requests 1000000;
            log_format all escape=json '{"method":"$request_method","path":"$request_uri",'
                '"status":"$status","type":"$http_content_type","id":"$http_webhook_id",'
                '"timestamp":"$http_webhook_timestamp","agent":"$http_user_agent",'
                '"connection":"$connection","signature":"$http_webhook_signature",'
                '"x":"$http_x_test","body":"$request_body"}';
            server {
                listen 127.0.0.1:%(port)d %(listen)s;
                access_log %(dir)s/nginx.access all;
                location / { proxy_pass http://unix:%(dir)s/nginx.sock; }
            }
            server {
                listen unix:%(dir)s/nginx.sock; access_log off;
                location / { return 204; }
                %(answers)s
            }
        }
    """

    def __init__(self, folder, answers=None, listen=""):
        self.port = free_port()
        self.access = Path(folder) / "nginx.access"
        places = ["location = %s { return %s; }" % pair for pair in (answers or {}).items()]
        config = Path(folder) / "nginx.conf"
        config.write_text(self.CONFIG % {"dir": folder, "port": self.port, "listen": listen,
                                         "answers": "\n".join(places)})
        super().__init__(folder, "nginx", [tool("nginx"), "-c", config, "-e",
                                           Path(folder) / "nginx.err"])

    def start(self):
        (self.output.parent / "nginx.sock").unlink(missing_ok=True)
        super().start()
        wait_until(lambda: accepts(self.port), what="nginx listens\n" + self.log)
        return self

    def url(self, path="/"):
        return "http://127.0.0.1:%d%s" % (self.port, path)

    @property
    def requests(self):
        return objects(self.access)

    def wait(self, count, timeout=10):
        wait_until(lambda: len(lines(self.access)) >= count, timeout, "%d requests" % count)
        return self.requests


class Rsyslogd(Process):
    """Real rsyslogd writing RFC 5424 lines, whatever it is sent: `socket` is a Unix datagram
    socket that takes what /dev/log takes, `socket5424` one for RFC 5424, `udp` and `tcp` ports."""

    CONFIG = """
        global(workDirectory="%(dir)s" maxMessageSize="64k")
        module(load="imuxsock" SysSock.Use="off")
        module(load="imudp")
        module(load="imtcp")
        input(type="imuxsock" Socket="%(socket)s" RateLimit.Interval="0")
        input(type="imuxsock" Socket="%(socket)s5424" UseSpecialParser="off"
              UseSysTimeStamp="off" IgnoreTimestamp="off" RateLimit.Interval="0")
        input(type="imudp" address="127.0.0.1" port="%(udp)d")
        input(type="imtcp" address="127.0.0.1" port="%(tcp)d")
        action(type="omfile" file="%(file)s" template="RSYSLOG_SyslogProtocol23Format")
    """

    def __init__(self, folder):
        self.socket = Path(folder) / "log.sock"
        self.socket5424 = Path(folder) / "log.sock5424"
        self.file = Path(folder) / "syslog"
        self.udp, self.tcp = free_port(socket.SOCK_DGRAM), free_port()
        config = Path(folder) / "rsyslog.conf"
        config.write_text(self.CONFIG % {"dir": folder, "socket": self.socket, "udp": self.udp,
                                         "tcp": self.tcp, "file": self.file})
        super().__init__(folder, "rsyslogd", [tool("rsyslogd"), "-n", "-f", config, "-i",
                                              Path(folder) / "rsyslogd.pid"])

    def start(self):
        for left in (self.socket, self.socket5424):
            left.unlink(missing_ok=True)
        super().start()
        wait_until(lambda: self.socket.exists() and self.socket5424.exists() and accepts(self.tcp),
                   what="rsyslogd listens\n" + self.log)
        return self

    @property
    def lines(self):
        return lines(self.file)

    def wait(self, count, match="", timeout=10):
        """The lines with `match` in them, once there are `count`."""
        def look():
            found = [line for line in self.lines if match in line]
            return found if len(found) >= count else None
        return wait_until(look, timeout, "%d lines with %r" % (count, match))


def tool(name):
    """A program that may live in a system folder outside an ordinary user's PATH."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    found = shutil.which(name, path=path)
    assert found, "%s is not installed" % name
    return found
