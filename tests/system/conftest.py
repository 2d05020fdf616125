"""Fixtures: each gives what it made, started, and ends it after the test."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest

import harness


def pytest_configure(config):
    config.addinivalue_line("markers", "plain: not in a build with sanitizers, of whose code it runs little that others do not")
    for name in ("PATCHBAY", "PATCHBAY_PLUGINS"):
        if name not in os.environ:
            raise pytest.UsageError("%s is not set: run `make check-system`" % name)


def pytest_addoption(parser):
    parser.addoption("--part", default="1/1", metavar="I/N", help="run the I-th of N parts")


def pytest_collection_modifyitems(config, items):
    if harness.SLOW > 1:
        config.hook.pytest_deselected(items=[t for t in items if t.get_closest_marker("plain")])
        items[:] = [t for t in items if not t.get_closest_marker("plain")]
    part, parts = map(int, config.getoption("--part").split("/"))
    config.hook.pytest_deselected(items=[t for i, t in enumerate(items) if i % parts != part - 1])
    items[:] = items[part - 1::parts]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if call.when == "call":
        item.failed = outcome.get_result().failed


@pytest.fixture
def folder(request):
    """A folder with a short name, as a socket's path must be; kept if the test failed."""
    path = Path(tempfile.mkdtemp(prefix="pb-"))
    path.chmod(0o755)
    yield path
    if getattr(request.node, "failed", False):
        print("kept: %s" % path)
    else:
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def patchbay(folder, request):
    """patchbay(config, …): a daemon that is ready, or with start=False one to be started."""
    daemons = []

    def make(config, *options, start=True, name="", **kw):
        where = folder / name
        where.mkdir(exist_ok=True)
        daemon = harness.Daemon(where, config, *options, **kw)
        daemons.append(daemon)
        return daemon.start() if start else daemon

    yield make
    failed = getattr(request.node, "failed", False)
    try:
        for daemon in daemons:
            if failed:
                print("--- %s\n%s" % (daemon.config, daemon.log[-8000:]))
            elif daemon.running():
                daemon.stop()
            complaint = daemon.complaint()
            assert not complaint, complaint
    finally:
        for daemon in daemons:
            daemon.kill()


def started(folder, kind):
    """A fixture's maker for a counterpart that is a process."""
    made = []

    def make(*args, **kw):
        made.append(kind(folder, *args, **kw).start())
        return made[-1]

    yield make
    for process in made:
        process.kill()


@pytest.fixture
def nginx(folder):
    """nginx(answers={"/path": 500})"""
    yield from started(folder, harness.Nginx)


@pytest.fixture
def rsyslogd(folder):
    """rsyslogd()"""
    yield from started(folder, harness.Rsyslogd)


@pytest.fixture
def receiver():
    """receiver(answer): see harness.Receiver"""
    made = []

    def make(*args, **kw):
        made.append(harness.Receiver(*args, **kw))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture(scope="session")
def installs():
    """installs(folder): a harness.Prefix that `make install` made there."""
    return harness.Prefix


@pytest.fixture(scope="session")
def prefix():
    """A harness.Prefix that all tests share."""
    folder = Path(tempfile.mkdtemp(prefix="pb-"))
    yield harness.Prefix(folder)
    shutil.rmtree(folder)
