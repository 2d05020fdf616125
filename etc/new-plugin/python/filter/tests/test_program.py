"""What the program makes of an event."""

import unittest

from program import Program


class Test(unittest.TestCase):
    def program(self, **options):
        program = self.enterContext(Program(**{"field": "a.b", **options}))
        self.assertEqual(program.hear("ready"), {"protocol": 1})
        return program

    def apply(self, program, answer="passed", **event):
        program.tell("apply", token=7, event={"specversion": "1.0", "id": "1", "type": "t", "source": "s", **event})
        value = program.hear(answer)
        self.assertEqual(value["token"], 7)
        return value

    def test_a_field_becomes_an_attribute(self):
        program = self.program()
        for data, subject in [({"a": {"b": "text"}}, "text"), ({"a": {"b": "ä \""}}, "ä \""),
                              ({"a": {"b": [1, True]}}, "[1, true]")]:
            self.assertEqual(self.apply(program, data=data)["events"], [{"subject": subject}])
        self.assertEqual(self.apply(self.program(field="a.1.b", attribute="x.y"), data={"a": [0, {"b": 1}]})["events"],
                         [{"x.y": "1"}])

    def test_without_the_field_it_is_as_the_option_says(self):
        for event in [{"data": {"a": {"c": 1}}}, {"data": {"a": [1]}}, {"data": "text"}, {"data_base64": "/w=="}, {}]:
            self.assertEqual(self.apply(self.program(), **event)["events"], [{}])
        self.assertEqual(self.apply(self.program(missing="drop"))["events"], [])
        failed = self.apply(self.program(missing="reject"), "failed")
        self.assertEqual(failed, {"token": 7, "reason": "there is no field a.b"})

    def test_what_no_attribute_can_hold_is_rejected(self):
        program = self.program()
        failed = self.apply(program, "failed", data={"a": {"b": "line\nbreak"}})
        self.assertEqual(failed["reason"], "the field a.b is no text for an attribute")
        self.assertEqual(self.apply(program, data={})["events"], [{}])

    def test_it_stops_when_told_and_when_patchbay_is_gone(self):
        self.assertEqual(self.program().stop(), 0)
        program = self.program()
        program.process.stdin.close()
        self.assertEqual(program.process.wait(60), 0)
        program.process.stdin = None

    def test_what_is_wrong_is_refused(self):
        for options, said in [({}, "field: expected a field of the body, as report.name"),
                              ({"field": "a", "attribute": "id"}, "attribute: expected a-z, 0-9, _, . and -, and not id"),
                              ({"field": "a", "missing": "x"}, "missing: expected pass, drop or reject"),
                              ({"field": "a", "feld": "b"}, "feld: there is no such option")]:
            with Program(**options) as program:
                self.assertEqual(program.hear("error")["reason"], said)


if __name__ == "__main__":
    unittest.main()
