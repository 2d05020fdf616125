"""What the program sends, and what it makes of each answer."""

import json
import socket
import tempfile
import unittest
from pathlib import Path

from program import LIMIT, Program


class Test(unittest.TestCase):
    def setUp(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.path = str(Path(folder) / "socket")

    def listen(self):
        listener = self.enterContext(socket.socket(socket.AF_UNIX))
        listener.settimeout(LIMIT)
        listener.bind(self.path)
        listener.listen()
        return listener

    def program(self, **options):
        program = self.enterContext(Program(path=self.path, **options))
        self.assertEqual(program.hear("ready"), {"protocol": 1})
        return program

    def deliver(self, program, **event):
        program.tell("deliver", token=7, attempt=1, event={"id": "7", "type": "t", **event})

    def connection(self, listener):
        connection, _ = listener.accept()
        self.enterContext(connection)
        connection.settimeout(LIMIT)
        return self.enterContext(connection.makefile("rw", encoding="utf-8"))

    def answer(self, receiver, text):
        line = receiver.readline()
        receiver.write(text + "\n")
        receiver.flush()
        return line

    def test_each_answer_means_what_it_says(self):
        listener, program, receiver = self.listen(), self.program(), None
        for said, answer in [("ok", {"code": "ok"}),
                             ("no such customer", {"code": "reject", "reason": "refused: such customer"}),
                             ("later 90", {"code": "retry", "after": 90000, "reason": "not now"}),
                             ("later or never", {"code": "retry", "after": 0, "reason": "not now"}),
                             ("gone", {"code": "gone", "reason": "it does not come back"}),
                             ("okay", {"code": "retry", "reason": "answered neither ok, later, no nor gone"})]:
            self.deliver(program, data={})
            receiver = receiver or self.connection(listener)
            self.answer(receiver, said)
            self.assertEqual(program.hear("answer"), {"token": 7, "response": said, **answer})

    def test_an_event_is_a_line(self):
        listener, program = self.listen(), self.program(format="body")
        self.deliver(program, data="two\nlines")
        self.assertEqual(program.hear("answer")["code"], "reject")
        self.deliver(program, data={"a": "ä"})
        self.assertEqual(self.answer(self.connection(listener), "ok"), '{"a": "ä"}\n')
        self.assertEqual(program.hear("answer")["code"], "ok")
        program = self.program()
        self.deliver(program, data={"a": 1})
        self.assertEqual(json.loads(self.answer(self.connection(listener), "ok")),
                         {"id": "7", "type": "t", "data": {"a": 1}})

    def test_a_receiver_that_is_not_there_is_down(self):
        program = self.program()
        self.deliver(program, data={})
        answer = program.hear("answer")
        self.assertEqual(answer["code"], "down")
        self.assertIn("No such file", answer["reason"])

    def test_one_that_hangs_up_may_have_it(self):
        listener, program = self.listen(), self.program()
        self.deliver(program, data={})
        connection, _ = listener.accept()
        connection.recv(1000)
        connection.close()
        self.assertEqual(program.hear("answer"), {"token": 7, "code": "retry", "reason": "no answer: it hung up"})
        self.deliver(program, data={})
        self.answer(self.connection(listener), "ok")
        self.assertEqual(program.hear("answer")["code"], "ok")

    def test_silence_ends_before_the_timeout(self):
        self.listen()
        program = self.program(timeout=50)
        self.deliver(program, data={})
        self.assertEqual(program.hear("answer")["reason"], "no answer: timed out")

    def test_it_stops_when_told_and_when_patchbay_is_gone(self):
        self.assertEqual(self.program().stop(), 0)
        program = self.program()
        program.process.stdin.close()
        self.assertEqual(program.process.wait(60), 0)
        program.process.stdin = None

    def test_what_is_wrong_is_refused(self):
        wrong_path = "path: expected the absolute path of a socket, of less than 108 bytes"
        for options, said in [({}, wrong_path), ({"path": "/" + "x" * 107}, wrong_path),
                              ({"path": "/x", "format": "xml"}, "format: expected json or body"),
                              ({"path": "/x", "form": "json"}, "form: there is no such option")]:
            with Program(**options) as program:
                self.assertEqual(program.hear("error")["reason"], said)


if __name__ == "__main__":
    unittest.main()
