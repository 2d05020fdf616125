"""What the program does with its file, its mark and a store that is full."""

import base64
import tempfile
import unittest
from pathlib import Path

from program import Program


class Test(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "lines.txt"

    def append(self, data):
        with self.path.open("ab") as file:
            file.write(data)

    def program(self, mark=None, **options):
        program = self.enterContext(Program(path=str(self.path), interval="0.01", **options))
        self.assertEqual(program.hear("ready"), {"protocol": 1})
        self.assertEqual(program.hear("restore"), {"key": "position"})
        program.tell("mark", key="position", value=mark)
        return program

    def test_each_line_is_an_event(self):
        program = self.program()
        self.append(b"one\n\n\xff\ntwo")
        emit = program.hear("emit")
        self.assertEqual(emit["events"], [{"datacontenttype": "text/plain", "data": "one"},
                                          {"data_base64": base64.b64encode(b"\xff").decode()}])
        self.assertEqual(emit["mark"], {"key": "position", "value": "7"})
        program.tell("receipt", token=emit["token"], outcome="accepted", ids=["1", "2"])
        self.append(b" and more\n")
        self.assertEqual(program.hear("emit")["events"][0]["data"], "two and more")

    def test_it_begins_at_the_mark(self):
        self.append(b"one\ntwo\n")
        self.assertEqual(self.program(mark="4").hear("emit")["events"][0]["data"], "two")

    def test_what_is_not_stored_is_sent_again(self):
        self.append(b"one\n")
        program = self.program()
        emit = program.hear("emit")
        program.tell("receipt", token=emit["token"], outcome="failed", reason="too large to store")
        self.assertEqual(program.hear("log")["text"], "lines were not stored: too large to store")
        self.assertEqual(program.hear("emit"), emit)

    def test_a_line_that_is_too_long_is_dropped(self):
        self.append(b"x" * 1000001 + b"\none\n")
        program = self.program()
        self.assertEqual(program.hear("log")["text"], "dropped a line of 1000001 bytes")
        self.assertEqual(program.hear("emit"), {"token": 1, "events": [], "mark": {"key": "position",
                                                                                  "value": "1000002"}})

    def test_it_stops_when_told_and_when_patchbay_is_gone(self):
        self.assertEqual(self.program().stop(), 0)
        program = self.program()
        program.process.stdin.close()
        self.assertEqual(program.process.wait(60), 0)
        program.process.stdin = None

    def test_what_is_wrong_is_refused(self):
        for options, said in [({}, "path: expected an absolute path"),
                              ({"path": "/x", "interval": "soon"}, "interval: expected seconds, 0.01 to 3600"),
                              ({"path": "/x", "pth": "/x"}, "pth: there is no such option")]:
            with Program(**options) as program:
                self.assertEqual(program.hear("error")["reason"], said)


if __name__ == "__main__":
    unittest.main()
