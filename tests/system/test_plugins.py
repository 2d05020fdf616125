"""`patchbay plugins`, and what all commands have in common."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from harness import SLOW, tool

PLUGINS = Path(os.environ.get("PATCHBAY_PLUGINS", "."))
TOP = Path(__file__).parents[2]
NAMES = sorted(path.stem for path in PLUGINS.glob("*.so"))


def run(*args, plugins=PLUGINS, **kw):
    return subprocess.run([os.environ["PATCHBAY"], *args, "--plugin-dir", plugins],
                          capture_output=True, text=True, timeout=20 * SLOW, check=False, **kw)


def good(*args, **kw):
    done = run(*args, **kw)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def usage(*args):
    done = run(*args)
    assert (done.returncode, done.stdout) == (2, "")
    return done.stderr


def test_list():
    lines = good("plugins").splitlines()
    assert [line.split()[0] for line in lines] == NAMES
    assert next(line for line in lines if line.startswith("http ")).split()[1] == "source"


def test_list_as_json():
    plugins = [json.loads(line) for line in good("plugins", "--json").splitlines()]
    assert [plugin["name"] for plugin in plugins] == NAMES
    http = next(plugin for plugin in plugins if plugin["name"] == "http")
    listen = next(o for o in http["kinds"][0]["options"] if o["name"] == "listen")
    assert listen["required"] and listen["type"] == "list of addresses"
    assert "workers" in http["kinds"][0]["common"]


@pytest.mark.parametrize("name", NAMES)
def test_every_option_is_explained(name):
    text, page = good("plugins", name), good("plugins", name, "--man")
    described = json.loads(good("plugins", name, "--json"))
    assert text.startswith("%s %s: %s\n" % (name, described["version"], described["summary"]))
    for kind in described["kinds"]:
        for option in kind["options"]:
            assert "\n  %s = " % option["name"] in text
            assert '\n.BR "%s" ' % option["name"] in page
            assert option["help"][0].isalnum() and option["help"].endswith(".")
        for common in kind["common"]:
            assert common in text and common in page


@pytest.mark.skipif(shutil.which("man") is None, reason="man is not installed")
@pytest.mark.parametrize("name", [None, *NAMES])
def test_pages_have_no_warnings(folder, name):
    page = folder / "page"
    page.write_text(good("plugins", *([name] if name else []), "--man"))
    done = subprocess.run(["man", "--warnings", "-l", page], capture_output=True, text=True,
                          env={**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "100"}, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "NAME" in done.stdout and "SEE ALSO" in done.stdout


def test_the_cores_options():
    text = good("plugins", "--core")
    for word in ("[patchbay]\n", "\n  state = path", "[route NAME]\n", "\n  retry = "):
        assert word in text
    assert len(good("plugins", "--core", "--json").splitlines()) == 5


def test_unknown_plugin():
    done = run("plugins", "htpp")
    assert done.returncode == 1
    assert done.stderr == "patchbay plugins: there is no plugin htpp in %s; did you mean http?\n" % PLUGINS


def test_a_broken_plugin_is_said_and_the_rest_listed(folder):
    shutil.copy(PLUGINS / "null.so", folder / "null.so")
    shutil.copy(PLUGINS / "null.so", folder / "other.so")
    for name in ("null.so", "other.so"):
        (folder / name).chmod(0o755)
    said = "plugin other calls itself null; expected the file's name"
    done = run("plugins", plugins=folder)
    assert done.returncode == 1
    assert done.stdout.split()[:3] == ["null", "source", "sink"]
    assert done.stderr == "patchbay plugins: %s\n" % said
    listed = [json.loads(line) for line in run("plugins", "--json", plugins=folder).stdout.splitlines()]
    assert listed[1] == {"name": "other", "errors": [said]}


BROKEN = """
#include <patchbay/plugin.h>
static const struct pb_option options[] = {
	{ .name = "one", .type = PB_CHOICE, .value = "", .help = "Its choices are missing." },
	{ .name = "two", .type = PB_INT, .value = "many", .help = "Its default is none." },
	{ 0 }
};
static void *open_it(struct pb_self *self, struct pb_error *err) { (void)err; return self; }
static void close_it(void *state) { (void)state; }
static void write_it(void *s, struct pb_delivery *const d[], size_t n) { (void)s, (void)d, (void)n; }
PB_PLUGIN(.name = "broken", .version = "1", .summary = "Broken",
	  .sink = PB_SINK(.options = options, .open = open_it, .close = close_it, .write = write_it));
"""


def test_all_faults_of_a_plugin_are_said(folder):
    subprocess.run([tool("cc"), "-shared", "-fPIC", "-I", TOP / "include", "-x", "c", "-", "-o",
                    folder / "broken.so"], input=BROKEN, text=True, check=True)
    (folder / "broken.so").chmod(0o755)
    said = run("plugins", plugins=folder).stderr.splitlines()
    assert len(said) == 2, said
    assert all(line.startswith("patchbay plugins: ") for line in said)
    assert "one" in said[0] and "two" in said[1]
    assert run("plugins", "broken", plugins=folder).stderr.splitlines() == said
    listed = json.loads(run("plugins", "--json", plugins=folder).stdout)
    assert ["patchbay plugins: " + error for error in listed["errors"]] == said


def test_the_folder_is_the_configurations(folder):
    config = folder / "c.ini"
    config.write_text("[patchbay]\nplugin_dir = %s\n" % PLUGINS)
    argv = [os.environ["PATCHBAY"], "plugins", "-c", config]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split()[0] for line in done.stdout.splitlines()] == NAMES
    config.unlink()
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "%s: No such file or directory\n" % config)


def test_help_and_version():
    assert good("--version").startswith("patchbay ")
    assert json.loads(good("--version", "--json"))["version"] in good("--version")
    overview = good("--help")
    for command in ("run", "check", "plugins"):
        assert "\n  %s " % command in overview
        for flag in ("--help", "-h"):
            usage_line, _, does = good(command, flag).splitlines()[:3]
            assert usage_line.startswith("Usage: patchbay %s" % command)
            assert re.fullmatch(r"[A-Z][a-z ,]+\.", does)


def test_wrong_usage():
    assert usage().startswith("Usage: patchbay COMMAND")
    assert usage("chekc") == "patchbay: there is no command chekc; did you mean check?\n" \
        "Try `patchbay --help`.\n"
    assert "there is no option --jsn; did you mean --json?" in usage("--jsn", "check")
    assert "takes no argument" in usage("check", "file.ini")
    assert "takes one name" in usage("plugins", "http", "null")
    assert "there is no option --mna" in usage("plugins", "--mna")
    assert "takes no argument" in usage("run", "file.ini")
    assert "takes no --json" in usage("run", "--json")
    done = subprocess.run([os.environ["PATCHBAY"], "check", "-c"], capture_output=True, text=True,
                          check=False)
    assert (done.returncode, done.stderr.splitlines()[0]) == (2, "patchbay check: -c needs a value")


def test_output_that_cannot_be_written_is_a_failure():
    with open("/dev/full", "w") as full:
        done = subprocess.run([os.environ["PATCHBAY"], "plugins", "--man"], stdout=full,
                              stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "patchbay: standard output: No space left on device\n")
