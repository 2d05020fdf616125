"""Plugins as they were built for each recorded ABI load and run; those of another are refused with both numbers."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from harness import SLOW, read, tool, wait_until

TOP = Path(__file__).parents[2]
RECORDS = sorted((TOP / "tests/check/abi").glob("[0-9]*.[0-9]*"))
CONFIG = """
[source a]
plugin = trio
count = 5
words = odd, even
[filter words]
plugin = trio
drop = even
[sink some]
plugin = trio
path = %(folder)s/some
[sink all]
plugin = trio
path = %(folder)s/all
text = {{type}} {{json data.n}}
[route filtered]
from = a
filters = words
to = some
[route plain]
from = a
to = all
"""


def numbers(header):
    return tuple(int(re.search(r"#define PB_ABI_%s (\d+)" % which, header).group(1)) for which in ("MAJOR", "MINOR"))


HERE = numbers((TOP / "include/patchbay/plugin.h").read_text())


def build(folder, headers, source):
    plugins = folder / "plugins"
    shutil.copytree(os.environ["PATCHBAY_PLUGINS"], plugins)
    plugins.chmod(0o755)
    subprocess.run([tool("cc"), "-std=c17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC",
                    "-I", headers, "-o", plugins / "trio.so", source], check=True)
    (plugins / "trio.so").chmod(0o755)
    return plugins


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.name)
def test_a_plugin_of_a_recorded_abi_runs(folder, patchbay, monkeypatch, record):
    monkeypatch.setenv("PATCHBAY_PLUGINS", str(build(folder, record, record / "trio.c")))
    daemon = patchbay(CONFIG % {"folder": folder})
    wait_until(lambda: read(folder / "all").count(b"\n") == 5 and read(folder / "some").count(b"\n") == 3,
               what="all lines")
    assert read(folder / "all").decode().splitlines() == ["trio %d trio a a 1700000000000 -" % n for n in range(1, 6)]
    assert read(folder / "some").decode().splitlines() == ["%d trio a a 1700000000000 odd" % n for n in (1, 3, 5)]
    described = json.loads(daemon.command("plugins", "trio", "--json").stdout)
    assert described["abi"] == record.name
    assert [kind["kind"] for kind in described["kinds"]] == ["source", "filter", "sink"]
    daemon.stop()


@pytest.mark.parametrize("other, advice", [
    ((HERE[0], HERE[1] + 1), "upgrade patchbay, or rebuild the plugin with this one's headers"),
    ((HERE[0] + 1, 0), "upgrade patchbay, or rebuild the plugin with this one's headers"),
    ((HERE[0] - 1, HERE[1] + 7), "rebuild the plugin"),
])
def test_another_abi_is_refused_with_both_numbers(folder, other, advice):
    headers = folder / "include/patchbay"
    headers.mkdir(parents=True)
    text = (TOP / "include/patchbay/plugin.h").read_text()
    for which, here, number in zip(("MAJOR", "MINOR"), HERE, other):
        text = text.replace("#define PB_ABI_%s %d" % (which, here), "#define PB_ABI_%s %d" % (which, number))
    assert numbers(text) == other
    (headers / "plugin.h").write_text(text)
    plugins = build(folder, folder / "include", RECORDS[-1] / "trio.c")
    said = "plugin trio is made for ABI %d.%d; this patchbay has %d.%d: %s" % (*other, *HERE, advice)
    (folder / "c.ini").write_text("[patchbay]\nstate = %s/state\n" % folder + CONFIG % {"folder": folder})

    def run(*words):
        return subprocess.run([os.environ["PATCHBAY"], *words, "--plugin-dir", plugins], capture_output=True, text=True,
                              timeout=20 * SLOW, check=False)

    done = run("plugins", "trio")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "patchbay plugins: %s\n" % said)
    listed = [json.loads(line) for line in run("plugins", "--json").stdout.splitlines()]
    assert {"name": "trio", "errors": [said]} in listed and len(listed) > 1
    for words in (("check",), ("run",)):
        done = run(*words, "-c", folder / "c.ini")
        assert done.returncode == 1
        assert done.stderr.count(said) == 4                     # at each section that names it
