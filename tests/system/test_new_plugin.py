"""`patchbay new-plugin`, and what `make install` puts there: of each kind a plugin is made, built and run with that alone."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from harness import SLOW, tool

pytestmark = pytest.mark.plain

TOP = Path(__file__).parents[2]
TEMPLATES = TOP / "etc/new-plugin"


def run(argv, folder, prefix, *, status=0, **env):
    """A command with the prefix in sight; what it said, both streams in one."""
    done = subprocess.run(argv, cwd=folder, env={**prefix.env, **env}, text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120 * SLOW)
    assert done.returncode == status, "%s\n%s" % (argv, done.stdout)
    return done.stdout


def new_plugin(prefix, folder, *words, status=0):
    return run([prefix.patchbay, "new-plugin", *words], folder, prefix, status=status)


def files(folder):
    return {str(path.relative_to(folder)) for path in Path(folder).rglob("*") if not path.is_dir()}


def make(prefix, folder, *words, **env):
    """make there; nothing that it runs may warn."""
    said = run(["make", *words], folder, prefix, **env)
    assert "warning" not in said.replace(" warning [sink out] a delivery failed", ""), said


def check_made(prefix, folder, kind, name, said):
    """What was written is what was said, bears the name throughout, and is right."""
    made = folder / name
    assert {line for line in said.splitlines() if line.startswith(name + "/")} == \
        {"%s/%s" % (name, file) for file in files(made)}
    for file in files(made):
        text = (made / file).read_text()
        assert "plugin-name" not in file + text and "plugin_name" not in text and "plugin-kind" not in text
        assert os.access(made / file, os.X_OK) == text.startswith("#!")
    assert "A %s for patchbay" % kind in (made / "README.md").read_text()
    page = made / ("patchbay-%s.7" % name)
    assert run(["man", "--warnings", "-E", "ascii", "-l", page], folder, prefix, MANWIDTH="100").count(name) >= 3


def check_example(prefix, folder, name):
    argv = [prefix.patchbay, "check", "--plugin-dir", prefix.plugins, "-c", folder / name / (name + ".ini")]
    assert run(argv, folder, prefix) == ""


@pytest.mark.parametrize("kind", ["source", "sink", "filter"])
def test_one_in_c_is_built_passes_and_runs(prefix, folder, kind):
    name = "my-%s" % kind
    check_made(prefix, folder, kind, name, new_plugin(prefix, folder, kind, name))
    made = folder / name
    make(prefix, made, "check", "conform", "install", "CFLAGS=-O2 -g -Werror")
    if "-fsanitize" not in os.environ["CC"]:
        make(prefix, made, "check", "SANITIZE=1", "CFLAGS=-O1 -g -Werror", CC=tool("clang"))
    assert name in run([prefix.patchbay, "plugins", "--plugin-dir", prefix.plugins], folder, prefix)
    check_example(prefix, folder, name)
    make(prefix, made, "uninstall", "clean")
    assert not (prefix.plugins / (name + ".so")).exists() and not list(made.glob("build*"))


@pytest.mark.parametrize("kind", ["source", "sink", "filter"])
@pytest.mark.parametrize("language", ["python", "sh"])
def test_a_program_passes_and_runs(prefix, folder, language, kind):
    name = "%s-%s" % (language, kind)
    check_made(prefix, folder, kind, name, new_plugin(prefix, folder, kind, name, "--lang", language))
    made, program = folder / name, prefix.path / "libexec/patchbay" / name
    make(prefix, made, "check", "install")
    assert "command = %s\n" % program in (made / (name + ".ini")).read_text()
    check_example(prefix, folder, name)
    make(prefix, made, "uninstall")
    assert not program.exists()
    if language == "sh":
        for script in [made / name, *made.glob("tests/*.sh")]:
            run(["sh", "-n", script], made, prefix)


def test_what_is_installed_is_all_and_goes_again(installs, folder):
    prefix = installs(folder / "root")
    there = files(prefix.path)
    plugins = Path(os.environ["PATCHBAY_TESTS"]).parent / "plugins"
    expected = {"bin/patchbay", "lib/libpatchbay-testing.a", "lib/pkgconfig/patchbay.pc",
                "lib/pkgconfig/patchbay-testing.pc", "share/man/man1/patchbay.1", "share/man/man5/patchbay.ini.5"}
    expected |= {"include/patchbay/" + file for file in files(TOP / "include/patchbay")}
    expected |= {"share/patchbay/new-plugin/" + file for file in files(TEMPLATES)}
    expected |= {"share/doc/patchbay/plugins.md", "share/doc/patchbay/guide/operating.md"}
    for plugin in plugins.glob("*.so"):
        expected |= {"lib/patchbay/" + plugin.name, "share/man/man7/patchbay-%s.7" % plugin.stem}
    assert expected - there == set()
    prefix.make("uninstall")
    assert files(folder / "root") == set() and not (prefix.path / "share/patchbay/new-plugin").exists()


@pytest.mark.parametrize("words, status, says", [
    (["source"], 2, "needs source, sink or filter, and a NAME"),
    (["sorce", "x"], 2, "'sorce' is not one of source, sink and filter; did you mean source?"),
    (["source", "x", "--lang", "cc"], 2, "'cc' is not one of the languages c, python and sh; did you mean c?"),
    (["source", "x", "--lang", "fortran"], 2, "'fortran' is not one of the languages c, python and sh\n"),
    (["source", "x", "--land", "c"], 2, "there is no option --land; did you mean --lang?"),
    (["source", "9x"], 2, "'9x' is no name for a plugin: up to 32 of a-z, 0-9, _ and -, the first a letter"),
    (["source", "../x"], 2, "'../x' is no name for a plugin"),
    (["source", "Fifo"], 2, "'Fifo' is no name for a plugin"),
    (["source", "x" * 33], 2, "is no name for a plugin"),
    (["source", ""], 2, "'' is no name for a plugin"),
    (["source", "http"], 1, "patchbay new-plugin: there is a plugin http already: "),
    (["source", "there"], 1, "patchbay new-plugin: there: File exists"),
    (["source", "x", "--dir", "there/file"], 1, "patchbay new-plugin: there/file: File exists"),
    (["source", "x", "--dir", "no/such"], 1, "patchbay new-plugin: no/such: No such file or directory"),
    (["source", "x", "--templates", "/no/such"], 1, "/no/such/c/common: No such file or directory"),
])
def test_what_cannot_be_made_is_said_and_nothing_is(prefix, folder, words, status, says):
    (folder / "there").mkdir()
    (folder / "there/file").write_text("mine")
    assert says in new_plugin(prefix, folder, *words, status=status)
    assert files(folder) == {"there/file"} and os.listdir(folder) == ["there"]
    assert (folder / "there/file").read_text() == "mine"


def test_half_of_one_does_not_stay(prefix, folder):
    shutil.copytree(TEMPLATES, folder / "templates")
    (folder / "templates/c/sink/tests/test-plugin-name.c").unlink()
    (folder / "templates/c/sink/tests/test-plugin-name.c").symlink_to("/no/such")
    said = new_plugin(prefix, folder, "sink", "x", "--templates", "templates", status=1)
    assert "templates/c/sink/tests/test-plugin-name.c: No such file or directory" in said
    assert os.listdir(folder) == ["templates"]


def test_a_name_becomes_an_identifier(prefix, folder):
    said = new_plugin(prefix, folder, "filter", "int", "--dir", folder / "made", "--json")
    assert said.startswith('{"folder":"%s/made","files":["Makefile","README.md",".gitignore"' % folder)
    run(["make"], folder / "made", prefix)
    new_plugin(prefix, folder, "filter", "a-b_c9")
    code = (folder / "a-b_c9/a-b_c9.c").read_text()
    assert "struct a_b_c9_filter" in code and '.name = "a-b_c9"' in code
    run(["make"], folder / "a-b_c9", prefix)
