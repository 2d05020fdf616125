"""The plugin keeps what patchbay asks of every plugin: each run of the feed command appends a line.

    tests/conform.py build/plugin-name.so
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path


def main(plugin):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lines.txt"
        path.touch()
        return subprocess.call([os.environ["PATCHBAY"], "plugin-test", plugin, "path=%s" % path, "interval=10ms",
                                "--feed", "echo line >>{path}"])


sys.exit(main(sys.argv[1]))
