"""The plugin keeps what patchbay asks of every plugin, with an event that has the field.

    tests/conform.py build/plugin-name.so
"""

import os
import subprocess
import sys

sys.exit(subprocess.call([os.environ["PATCHBAY"], "plugin-test", sys.argv[1], "field=report.name", "missing=drop",
                          "--body", '{"report": {"name": "May"}}']))
