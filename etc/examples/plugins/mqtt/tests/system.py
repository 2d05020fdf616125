"""The plugin in a real patchbay, at a real broker: what is published arrives, whoever dies in between.

    tests/system.py build/mqtt.so

Nothing here sleeps: what must come is waited for, with a limit that is long.
"""

import json
import os
import queue
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

LIMIT = 60  # seconds: more than any wait needs, also on a busy machine
BROKER = """
per_listener_settings true
listener %(port)d 127.0.0.1
allow_anonymous false
password_file %(folder)s/passwords
user root
listener %(tls_port)d 127.0.0.1
allow_anonymous true
cafile %(folder)s/cert.pem
certfile %(folder)s/cert.pem
keyfile %(folder)s/key.pem
"""
SOURCE = """
[source field]
plugin = mqtt
target = 127.0.0.1:%(port)d
client_id = patchbay-test
topics = sensors/+/value, alarm
username = fred
password = secret
reconnect_max = 1s
"""
TLS = """
[source safe]
plugin = mqtt
target = localhost:%(tls_port)d
client_id = patchbay-tls
topics = safe
tls_ca = %(folder)s/cert.pem
"""
SINK = """
[sink out]
plugin = file
path = %(folder)s/events.jsonl
[route all]
to = out
"""
NOBODY = """
[sink nobody]
plugin = webhook
url = http://127.0.0.1:%d/
max_backlog = 1MiB
overflow = block
[route nobody]
to = nobody
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Program:
    """A program in the foreground, and what it says."""

    def start(self, *argv, stream="stderr"):
        self.said, self.lines = "", queue.Queue()
        self.process = subprocess.Popen(argv, text=True, encoding="utf-8", **{stream: subprocess.PIPE})
        threading.Thread(target=self._read, args=[getattr(self.process, stream), self.lines],
                         daemon=True).start()

    @staticmethod
    def _read(log, lines):
        for line in log:
            lines.put(line)
        lines.put(None)

    def wait_log(self, pattern):
        """Wait until the regular expression is found in what it said since its start; the match."""
        while not re.search(pattern, self.said):
            line = self.lines.get(timeout=LIMIT)
            assert line is not None, "ended before it said %r:\n%s" % (pattern, self.said)
            self.said += line
        return re.search(pattern, self.said)

    def kill(self):
        self.process.kill()
        self.process.wait()


class Daemon(Program):
    """patchbay, with the plugin among its own in a folder that only this user can write."""

    def __init__(self, folder, plugin):
        self.folder, plugins = folder, folder / "plugins"
        plugins.mkdir(mode=0o755)
        for file in [*Path(os.environ["PATCHBAY_PLUGINS"]).glob("*.so"), Path(plugin)]:
            Path(shutil.copy(file, plugins)).chmod(0o755)
        self.options = ["-c", str(folder / "test.ini"), "--plugin-dir", str(plugins)]

    def run(self, config):
        (self.folder / "test.ini").touch(0o600)
        (self.folder / "test.ini").write_text("[patchbay]\nstate = %s/state\n%s" % (self.folder, config))
        self.start(os.environ["PATCHBAY"], "run", *self.options)
        self.wait_log("info ready: ")

    def state(self):
        """What the source does, as `patchbay status` says."""
        rows = subprocess.run([os.environ["PATCHBAY"], "status", "--json", *self.options], check=True,
                              stdout=subprocess.PIPE, timeout=LIMIT).stdout.splitlines()
        return next(row["state"] for row in map(json.loads, rows) if row.get("name") == "field")

    def stop(self):
        self.process.terminate()
        assert self.process.wait(LIMIT) == 0, self.said


class Broker(Program):
    """mosquitto, which tells all that it sends and receives."""

    def __init__(self, folder):
        self.values = {"folder": folder, "port": free_port(), "tls_port": free_port()}
        self.config = folder / "mosquitto.conf"
        self.config.write_text(BROKER % self.values)
        subprocess.run(["mosquitto_passwd", "-b", "-c", folder / "passwords", "fred", "secret"],
                       check=True)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost", "-addext",
                        "subjectAltName=DNS:localhost", "-keyout", folder / "key.pem", "-out",
                        folder / "cert.pem"], check=True, stderr=subprocess.DEVNULL)

    def run(self):
        self.start(shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin"), "-v", "-c",
                   self.config)
        self.wait_log(" running")

    def publish(self, topic, body, *options):
        """Until the broker has it."""
        login = options or ("-p", str(self.values["port"]), "-u", "fred", "-P", "secret")
        subprocess.run(["mosquitto_pub", "-q", "1", "-t", topic, "-m", body, *login], check=True,
                       timeout=LIMIT)

    def wait_subscribed(self):
        self.wait_log(r"(SUBACK to patchbay-test(?s:.)*){2}")


class Output(Program):
    """What the sink writes, event by event."""

    def __init__(self, path):
        path.touch()
        self.start("tail", "-n", "+1", "-f", str(path), stream="stdout")

    def next(self):
        return json.loads(self.lines.get(timeout=LIMIT))


def messages_arrive(daemon, broker, output):
    daemon.run((SOURCE + TLS + SINK) % broker.values)
    broker.wait_subscribed()
    broker.publish("sensors/hall/value", '{"celsius": 21}')
    event = output.next()
    assert event["subject"] == "sensors/hall/value" and event["data"] == {"celsius": 21}, event
    broker.publish("sensors/hall/name", "nobody asked for this")
    broker.publish("alarm", "fire")
    assert output.next()["data"] == "fire"
    broker.wait_log("SUBACK to patchbay-tls")
    broker.publish("safe", "over TLS", "-h", "localhost", "-p", str(broker.values["tls_port"]),
                   "--cafile", str(broker.values["folder"] / "cert.pem"))
    event = output.next()
    assert (event["data"], event["source"]) == ("over TLS", "safe"), event
    daemon.stop()
    broker.wait_log("Received DISCONNECT from patchbay-test")


def what_came_while_it_was_away_arrives(daemon, broker, output):
    broker.publish("alarm", "flood")
    daemon.run((SOURCE + SINK) % broker.values)
    daemon.wait_log("connected, the same session")
    assert output.next()["data"] == "flood"


def a_lost_broker_is_found_again(daemon, broker, output):
    broker.kill()
    daemon.wait_log(r"trying 127.0.0.1:\d+ again in 1000 ms")
    broker.run()
    broker.wait_subscribed()
    broker.publish("alarm", "all clear")
    assert output.next()["data"] == "all clear"
    daemon.stop()


def a_kill_between_receipt_and_commit_loses_nothing(daemon, broker, output):
    """One sink has nobody to send to, so that its share of the store fills, and commits wait."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        daemon.run((SOURCE + SINK) % broker.values + NOBODY % nobody.getsockname()[1])
        daemon.wait_log("connected, the same session")
        sent = 0
        while daemon.state() != "full":
            broker.publish("alarm", "%d %s" % (sent, "x" * 100000))
            sent += 1
        broker.publish("sensors/late/value", "%d late" % sent)
        seen = broker.wait_log(r"PUBLISH to patchbay-test \(d0, q1, r0, (m\d+), 'sensors/late")
        daemon.kill()
        broker.wait_log("Client patchbay-test closed its connection")
        assert "PUBACK from patchbay-test (%s," % seen[1].replace("m", "Mid: ") not in broker.said
    daemon.run((SOURCE + SINK) % broker.values)
    broker.wait_log(r"PUBLISH to patchbay-test \(d1, q1, r0, %s, 'sensors/late" % seen[1])
    numbers = set()
    while len(numbers) < sent + 1:
        numbers.add(int(output.next()["data"].split()[0]))
    assert numbers == set(range(sent + 1)), numbers
    daemon.stop()


def the_rules_of_all_plugins_are_kept(plugin, broker):
    feed = "mosquitto_pub -q 1 -p %(port)d -u fred -P secret -t alarm -m x" % broker.values
    done = subprocess.run([os.environ["PATCHBAY"], "plugin-test", plugin, "--rounds", "400", "--feed", feed,
                           "target=127.0.0.1:%(port)d" % broker.values, "client_id=conform", "topics=alarm",
                           "username=fred", "password=secret"], timeout=5 * LIMIT, check=False,
                          stdout=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stdout


def each_option_is_in_the_manual_page(daemon):
    shown = subprocess.run([os.environ["PATCHBAY"], "plugins", "mqtt", "--json", *daemon.options],
                           check=True, stdout=subprocess.PIPE, timeout=LIMIT).stdout
    page = (Path(__file__).parents[1] / "patchbay-mqtt.7").read_text()
    for kind in json.loads(shown)["kinds"]:
        for option in kind["options"]:
            assert re.search(r"^\.BR? .*\b%s\b" % option["name"], page, re.M), option


def main(plugin):
    with tempfile.TemporaryDirectory(prefix="pb-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        daemon, broker = Daemon(folder, plugin), Broker(folder)
        output = Output(folder / "events.jsonl")
        try:
            broker.run()
            messages_arrive(daemon, broker, output)
            what_came_while_it_was_away_arrives(daemon, broker, output)
            a_lost_broker_is_found_again(daemon, broker, output)
            a_kill_between_receipt_and_commit_loses_nothing(daemon, broker, output)
            the_rules_of_all_plugins_are_kept(plugin, broker)
            each_option_is_in_the_manual_page(daemon)
        finally:
            for program in daemon, broker, output:
                sys.stderr.write(program.said)
                program.kill()
    print("system test: passed")


main(sys.argv[1])
