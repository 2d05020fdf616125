"""`patchbay plugin-test`: our own plugins pass, and each rule catches what it is for."""

import concurrent.futures
import json
import os
import socket
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from harness import SLOW, Receiver

PLUGINS = Path(os.environ.get("PATCHBAY_PLUGINS", "."))
TESTS = Path(os.environ.get("PATCHBAY_TESTS", "."))
FIFO = TESTS / "system/plugins/fifo.so"


def conform(*args, timeout=120):
    return subprocess.run([os.environ["PATCHBAY"], "plugin-test", *args], capture_output=True, text=True,
                          timeout=timeout * SLOW, check=False)


def results(*args):
    """Rule to (result, reason)."""
    done = conform(*args, "--json")
    assert done.returncode in (0, 1), done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == any(row["result"] == "fail" for row in rows)
    return {row["rule"]: (row["result"], row.get("reason", "")) for row in rows}


def all_of(rows, result):
    return {rule: reason for rule, (which, reason) in rows.items() if which == result}


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def fifo(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    return tmp_path / "fifo"


def passes(*args, skipped):
    """It fails nothing, and skips no more than this."""
    rows = results(*args)
    assert all_of(rows, "fail") == {}
    assert set(all_of(rows, "skip")) == skipped


NO_SECRET = {"options.secrets"}
NO_CHECK = {"options.check"}
NO_REOPEN = {"life.reopen"}
WRITES = {"stop.busy"}
NO_STRICT = {"sink.order"}
TABLE = {"table." + what for what in ("names", "types", "choices", "limits", "defaults", "help", "common")}
NO_MARK = {"source.resumes"}
NO_ANSWER = {"source.acknowledges", "source.refuses"}


def test_http():
    passes(PLUGINS / "http.so", "listen=127.0.0.1:0", "event=type:t", "token=conform-token", "--feed",
           "curl -sf -H 'Authorization: Bearer conform-token' -d '{}' http://127.0.0.1:{port}/",
           skipped=NO_REOPEN | NO_MARK)


def test_webhook(receiver):
    passes(PLUGINS / "webhook.so", "url=" + receiver.url(), "--failing", "url=http://127.0.0.1:1/",
           skipped=NO_SECRET | NO_REOPEN | NO_STRICT)


def test_syslog():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as daemon:
        daemon.bind(("127.0.0.1", 0))
        passes(PLUGINS / "syslog.so", "target=udp:127.0.0.1:%d" % daemon.getsockname()[1],
               "--failing", "target=udp:127.0.0.1:1", skipped=NO_SECRET | WRITES)


def test_file(tmp_path):
    # Nothing that can be opened fails; and a second instance is refused the same file.
    passes(PLUGINS / "file.so", "path=%s/out" % tmp_path, skipped=NO_SECRET | WRITES | NO_STRICT | {"life.two"})


def test_fifo(fifo):
    passes(FIFO, "path=%s" % fifo, "--feed", "printf 'one\\ntwo\\n' >{path}",
           skipped=NO_SECRET | NO_CHECK | NO_REOPEN | NO_ANSWER | NO_MARK)


def test_stdin(fifo):
    held = os.open(fifo, os.O_RDWR | os.O_CLOEXEC)      # so that it has no end
    passes(PLUGINS / "stdin.so", "path=%s" % fifo, "--feed", "printf 'one\\ntwo\\n' >{path}",
           skipped=NO_SECRET | NO_REOPEN | NO_ANSWER | NO_MARK)
    os.close(held)


def test_timer():
    passes(PLUGINS / "timer.so", "every=10ms", skipped=NO_SECRET | NO_ANSWER | NO_MARK)


ASK = """exec bash -c 'exec 3<>/dev/tcp/127.0.0.1/{port}; echo line >&3; read -r a <&3; test "$a" = yes'"""


def bad(folder, plugin, fault, *args):
    """Run the rules on a plugin that is bad on purpose."""
    (folder / "lines").touch()
    built = TESTS / "conform"
    given = {
        "table": [built / fault / "bad_table.so"],
        "sink": [built / "bad_sink.so", "fault=" + fault, "key=conform-secret", "timeout=100ms",
                 "--failing", "failing=yes"],
        "submit": [built / "bad_submit.so", "fault=" + fault, "timeout=100ms", "--failing", "failing=yes"],
        "filter": [built / "bad_filter.so", "fault=" + fault],
        "source": [built / "bad_source.so", "fault=" + fault, "--feed", ASK],
        "tail": [built / "bad_tail.so", "fault=" + fault, "path=%s/lines" % folder, "--feed", "echo line >>{path}"],
    }[plugin]
    return results(*given, *args)


# A plugin's fault, the rule that finds it, and what it says of it.
FAULTS = [
    ("table", "abi", "descriptor.abi", "it is built for ABI"),
    ("table", "size", "descriptor.abi", "its size says"),
    ("table", "name", "descriptor.name", 'it is called "other"'),
    ("table", "version", "descriptor.version", '"one two" is not one word'),
    ("table", "summary", "descriptor.summary", "it has none"),
    ("table", "functions", "descriptor.functions", "its sink lacks open or close"),
    ("table", "exports", "descriptor.exports", "it exports bad_exported too"),
    ("table", "writable", "descriptor.exports", "its descriptor is not const"),
    ("table", "defaults", "descriptor.accepted", "its default is wrong"),
    ("table", "names", "table.names", '"Not-Good" is not lower_case'),
    ("table", "twice", "table.names", "good stands there twice"),
    ("table", "types", "table.types", "bad has type 99"),
    ("table", "choices", "table.choices", "bad has no choices"),
    ("table", "limits", "table.limits", "bad: its least is above its most"),
    ("table", "defaults", "table.defaults", "bad: "),
    ("table", "help", "table.help", "bad: expected a sentence"),
    ("table", "no_help", "table.help", "bad has none"),
    ("table", "common", "table.common", "timeout is an option of every sink"),
    ("sink", "refuses", "options.opens", "number: is not liked"),
    ("sink", "exits", "options.opens", "ended the process with status 3 in check() or open()"),
    ("sink", "table", "options.refused", "word = no-such-word is taken"),
    ("sink", "edge", "options.edges", "crashed with SIGABRT in check() or open()"),
    ("sink", "silent", "options.reasons", "number = 100: open() returned NULL without pb_error()"),
    ("sink", "check-leaks", "options.check", "descriptors more after"),
    ("sink", "tells-secret", "options.secrets", "that of key is"),
    ("sink", "leaks", "life.repeats", "bytes of memory more after 1000 times"),
    ("table", "loads", "life.loads", "descriptors more after"),
    ("sink", "shared", "life.two", "crashed with SIGSEGV in write()"),
    ("sink", "event", "life.clean", "was neither handed over nor freed"),
    ("sink", "thread", "life.clean", "is left by the plugin"),
    ("sink", "late-metric", "life.clean", "registered a metric after open()"),
    ("sink", "reopen", "life.reopen", "it answers differently after reopen()"),
    ("source", "reopen", "life.reopen", "run() returned after reopen()"),
    ("sink", "slow-close", "stop.idle", "stop() and close() took"),
    ("source", "late-stop", "stop.idle", "run() has not returned 1000 ms after it was asked to stop"),
    ("submit", "slow-close", "stop.busy", "are answered 1000 ms after stop()"),
    ("tail", "late-when-full", "stop.full", "run() has not returned 1000 ms after it was asked to stop"),
    ("tail", "late-after-commit", "stop.commit", "run() has not returned 1000 ms after the commit"),
    ("source", "returns", "source.runs", "it returned -5 when it was asked to stop"),
    ("source", "silent-feed", "source.emits", "no event came of the feed command"),
    ("source", "no-commit", "source.commits", "pb_wait() or pb_commit() is called too seldom"),
    ("source", "hoards", "source.pressure", "MiB of memory more"),
    ("source", "early", "source.acknowledges", "ended with status 0 before the commit"),
    ("source", "yes", "source.refuses", "though nothing could be stored"),
    ("tail", "forgets", "source.resumes", "events that were stored came again"),
    ("tail", "loses", "source.resumes", "of 1 events that were emitted and not stored 0 came"),
    ("filter", "hostile", "filter.hostile", "crashed with SIGSEGV in apply() of an event with an empty body"),
    ("filter", "differs", "filter.same", "it passes 1 events, and 0 for the same one"),
    ("filter", "passes-twice", "filter.hostile", "pb_pass(): an event that was handed over or freed before"),
    ("filter", "reason", "filter.reasons", "an empty body failed without pb_error()"),
    ("sink", "rejects", "sink.delivers", "the answer is PB_REJECT: done"),
    ("sink", "never", "sink.answers", "was left untried 10 times in a row"),
    ("submit", "never", "sink.answers", "not all of 1 deliveries are answered"),
    ("sink", "twice", "sink.answers", "answered one delivery twice: code 1, and now 1"),
    ("sink", "hangs", "sink.answers", "hangs: after 1500 ms still in write()"),
    ("sink", "large-batch", "sink.batches", "crashed with SIGSEGV in write()"),
    ("sink", "order", "sink.order", "answered number 2 of a batch with code 2"),
    ("sink", "reason", "sink.reasons", "PB_RETRY is answered without a reason"),
    ("sink", "hostile", "sink.hostile", "crashed with SIGSEGV in write()"),
    ("sink", "cloudevent", "faults.calls", "crashed with SIGSEGV in write()"),
    ("filter", "text", "faults.calls", "crashed with SIGSEGV in apply()"),
    ("source", "no-memory", "faults.calls", "crashed with SIGSEGV in run(), with call number 1 of pb_event_new()"),
    ("sink", "prints", "process.streams", "it writes to standard output: here I am"),
    ("sink", "inherited", "process.descriptors", "(/dev/null), open after open(), lacks O_CLOEXEC"),
    ("sink", "signal", "process.signals", "the disposition of SIGPIPE is changed after open()"),
    ("sink", "unblocks", "process.signals", "a thread of its lets SIGTERM in"),
    ("sink", "interrupted", "process.storm", "Interrupted system call"),
    ("sink", "umask", "process.state", 'after open(): "umask 0000"'),
    ("sink", "child", "process.children", "a process that it started still runs"),
]


@pytest.fixture(scope="module")
def caught(tmp_path_factory):
    """What comes of each: most of it is waiting, so several at once."""
    def run(plugin, fault, rule, words):
        limit = ["--limit", "1500ms"] if fault == "hangs" else []
        return bad(tmp_path_factory.mktemp("bad"), plugin, fault, "--stop-limit", "1s", "--only", rule, *limit)
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        yield {case: pool.submit(run, *case) for case in FAULTS}


@pytest.mark.plain
@pytest.mark.parametrize("case", FAULTS, ids=["%s-%s-%s" % (rule, plugin, fault) for plugin, fault, rule, _ in FAULTS])
def test_a_bad_plugin_is_caught(caught, case):
    words = case[3]
    (result, reason), = caught[case].result().values()
    assert result == "fail"
    assert words in reason


def test_each_rule_has_a_bad_plugin():
    rules = {json.loads(line)["rule"] for line in conform("--list", "--json").stdout.splitlines()}
    assert rules == {rule for _, _, rule, _ in FAULTS} | {"descriptor.loads"}


@pytest.mark.parametrize("plugin, skipped", [
    ("table", NO_CHECK | NO_SECRET | NO_REOPEN | WRITES | NO_STRICT), ("sink", WRITES),
    ("submit", NO_SECRET | NO_STRICT), ("filter", NO_CHECK | NO_SECRET),
    ("source", NO_CHECK | NO_SECRET | NO_MARK), ("tail", NO_CHECK | NO_SECRET | NO_REOPEN | NO_ANSWER)])
def test_without_its_fault_a_bad_plugin_passes(tmp_path, plugin, skipped):
    rows = bad(tmp_path, plugin, "none")
    assert all_of(rows, "fail") == {}
    assert set(all_of(rows, "skip")) == skipped


@pytest.mark.parametrize("what, words", [("none", "patchbay_plugin"), ("unresolved", "undefined symbol")])
def test_what_cannot_be_loaded(what, words):
    rows = results(TESTS / ("unit/plugin/objects/%s.so" % what))
    assert {"descriptor.loads", "descriptor.accepted"} <= set(all_of(rows, "fail"))
    assert words in rows["descriptor.loads"][1]
    assert rows["life.repeats"] == ("skip", "the daemon does not take it: see descriptor.accepted")


def test_of_a_fault_in_the_table_the_rest_is_skipped(tmp_path):
    rows = bad(tmp_path, "table", "common")
    assert set(all_of(rows, "fail")) == {"table.common", "descriptor.accepted"}


def test_of_a_plugin_that_does_not_open_the_rest_is_skipped(tmp_path):
    rows = bad(tmp_path, "sink", "refuses")
    assert set(all_of(rows, "fail")) == {"options.opens"}
    assert rows["sink.delivers"] == ("skip", "it does not open with the options given: see options.opens")


def test_of_options_that_are_wrong_each_is_told():
    done = conform(TESTS / "conform/bad_sink.so", "fualt=none", "other=1", "--only", "options.opens")
    assert "fualt: there is no such option; did you mean fault?" in done.stdout
    assert "other: there is no such option" in done.stdout


def test_a_file_that_is_not_there_is_said_in_one_line():
    done = conform("/not/there.so")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "patchbay plugin-test: /not/there.so: No such file or directory\n"


def test_the_report(tmp_path):
    done = conform(TESTS / "conform/bad_sink.so", "fault=prints", "--only", "process.st*", "--only", "options.secrets",
                   "--junit", tmp_path / "junit.xml")
    lines = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (1, "")
    assert lines[0] == "bad_sink 1: A sink with a fault (sink)"
    assert "\x1b" not in done.stdout
    at = next(i for i, line in enumerate(lines) if line.startswith("  FAIL  process.streams "))
    assert lines[at + 1:at + 3] == [
        "        it writes to standard output: here I am; pb_log() is for that", "        | here I am"]
    assert lines[-1].startswith("2 passed, 1 failed, 1 skipped in ")
    suite, = ElementTree.parse(tmp_path / "junit.xml").getroot()
    assert {name: suite.get(name) for name in ("name", "tests", "failures", "skipped")} == {
        "name": "bad_sink", "tests": "4", "failures": "1", "skipped": "1"}
    failed, = suite.findall("testcase[failure]")
    assert failed.get("name") == "process.streams" and failed.get("classname") == "patchbay.sink.bad_sink"
    assert "here I am" in failed.find("failure").text
    assert suite.find("testcase[skipped]").get("name") == "options.secrets"


def test_junit_of_any_bytes(tmp_path):
    """What a plugin prints, or is called with, is no XML."""
    fault = "<&\"]]>\x01\ufffe"
    bad(tmp_path, "sink", fault, "--junit", tmp_path / "junit.xml", "--only", "options.opens")
    ElementTree.parse(tmp_path / "junit.xml")


@pytest.mark.parametrize("args, words", [
    ([], "which plugin? Expected FILE.so"),
    (["plugin.txt"], "plugin.txt: a plugin's file is NAME.so"),
    (["x.so", "word"], "expected OPTION=VALUE: word"),
    (["x.so", "--failing", "word"], "expected OPTION=VALUE: word"),
    (["x.so", "a=b\nc"], "a: a value is one line"),
    (["x.so", "--kind", "lens"], "--kind lens: expected source, filter or sink"),
    (["x.so", "--only", "no.such"], "--only no.such: there is no such rule"),
    (["x.so", "--limit", "5"], "--limit 5: expected a duration"),
    (["x.so", "--rounds=1"], "--rounds 1: expected a number from 400"),
    (["x.so", "--feed"], "--feed needs a value"),
    (["x.so", "--colour"], "there is no option --colour")])
def test_wrong_usage(args, words):
    done = conform(*args)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("patchbay plugin-test: " + words)
    assert done.stderr.endswith("Try `patchbay plugin-test --help`.\n")


def test_a_plugin_of_several_kinds():
    done = conform(PLUGINS / "null.so")
    assert done.returncode == 2 and "choose one with --kind" in done.stderr
    done = conform(PLUGINS / "null.so", "--kind", "filter")
    assert done.returncode == 2 and "null has no filter" in done.stderr
    passes(PLUGINS / "null.so", "--kind", "sink",
           skipped=NO_CHECK | NO_SECRET | NO_REOPEN | WRITES | NO_STRICT | {
               "options.refused", "options.edges", "options.reasons"} | TABLE)
    passes(PLUGINS / "null.so", "--kind", "source", "rate=1000",
           skipped=NO_CHECK | NO_SECRET | NO_REOPEN | NO_ANSWER | NO_MARK)
