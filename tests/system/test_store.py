"""`patchbay store`: stores that the daemon made, whole and damaged, read, repaired and copied offline."""

import hashlib
import json
import shutil
import struct

import pytest

from engine import HTTP, engine, sink  # noqa: F401
from harness import Daemon, wait_until

PAD = "x" * 200000


def command(bay, *args, json_lines=False):
    """`patchbay store …`: its exit status, and its lines or objects."""
    done = bay.daemon.command("store", *args, *(["--json"] if json_lines else []))
    assert "Sanitizer" not in done.stderr, done.stderr
    out = done.stdout.splitlines()
    return done.returncode, [json.loads(line) for line in out] if json_lines else out, done.stderr


def verify(bay, *args):
    """Exit status, what is wrong, notes."""
    status, rows, _ = command(bay, "verify", *args, json_lines=True)
    assert rows[-1] == {"type": "end", "wrong": sum(row["type"] == "wrong" for row in rows)}
    return (status, [row["what"] + ": " + row["means"] for row in rows if row["type"] == "wrong"],
            [row["text"] for row in rows if row["type"] == "note"])


def export(bay, *args):
    status, rows, errors = command(bay, "export", *args, json_lines=True)
    assert status == 0, errors
    return rows


def digest(folder):
    return {path.relative_to(folder): (hashlib.sha256(path.read_bytes()).digest(), path.stat().st_mtime_ns)
            for path in folder.rglob("*") if path.is_file() and path.name != "lock.mdb"}


@pytest.fixture
def made(engine):
    """A daemon that has stopped. One sink took all but one that waits and one that it rejected;
    the other was down, so that all is in the journal, in segments of 1 MiB."""
    def make(segments=True):
        bay = engine(HTTP + sink(options="retry = 1h") + sink("stuck", route="second"),
                     core="segment_size = 1MiB")
        bay.script("down", "stuck")
        bay.ids = [bay.post(answer="retry"), bay.post(answer="reject")]
        bay.ids += [bay.post(n=n, pad=PAD if segments else "") for n in range(24)]
        bay.wait_lane(stragglers=1, dead=1, delivered=24)
        bay.stop()
        bay.segments = sorted((bay.state / "journal").glob("*.seg"))
        assert len(bay.segments) >= (4 if segments else 1)
        return bay
    return make


def flip(path, offset):
    data = bytearray(path.read_bytes())
    data[offset] ^= 4
    path.write_bytes(data)


def flip_all(path, needle):
    """A bit of each occurrence: pages that LMDB no longer uses may have some."""
    data = bytearray(path.read_bytes())
    at = data.find(needle)
    assert at >= 0
    while at >= 0:
        data[at + 1] ^= 4
        at = data.find(needle, at + 1)
    path.write_bytes(data)


def deliver_all(bay, lost=()):
    """Start again: the sink that was down gets all but what is lost."""
    bay.script("ok", "stuck")
    bay.start()
    bay.wait_delivered([i for i in bay.ids if i not in lost], "stuck", timeout=20)
    assert not set(lost) & set(bay.delivered("stuck"))


def test_a_stopped_store_is_shown_and_right_and_left_alone(made):
    bay = made()
    before = digest(bay.state)
    status, rows, _ = command(bay, "inspect", json_lines=True)
    assert status == 0
    [store] = [row for row in rows if row["type"] == "store"]
    assert (store["state"], store["first"], store["next"], store["kept"]) == ("clean", 1, 27, 0)
    segments = [row for row in rows if row["type"] == "segment"]
    assert [s["number"] for s in segments] == list(range(1, len(bay.segments) + 1))
    assert [s["bytes"] for s in segments] == [path.stat().st_size for path in bay.segments]
    assert [s["next"] for s in segments] == [s["first"] for s in segments[1:]] + [27]
    lanes = {row["lane"]: row for row in rows if row["type"] == "lane"}
    assert (lanes["all out"]["stragglers"], lanes["all out"]["dead"]) == (1, 1)
    assert (lanes["all out"]["watermark"], lanes["all out"]["behind"]) == (27, 0)
    assert (lanes["second stuck"]["watermark"], lanes["second stuck"]["behind"]) == (1, 26)
    [history] = [row for row in rows if row["type"] == "history"]
    assert history["files"] == 1 and history["entries"] > 26 and history["damaged"] == 0
    status, text, _ = command(bay, "inspect")
    assert status == 0 and "%s: clean" % bay.state in text
    assert any(line.startswith("history   ") for line in text)
    assert any(line.split()[:5] == ["second", "stuck", "1", "26", "0"] for line in text)
    assert verify(bay) == (0, [], [])
    assert command(bay, "verify")[1] == ["%s: all is right" % bay.state]
    assert command(bay, "repair", "--dry-run")[1] == ["%s: nothing can be repaired" % bay.state]
    export(bay)
    after = digest(bay.state)
    after.pop(next(p for p in after if p.name == "lock"))
    before.pop(next(p for p in before if p.name == "lock"))
    assert after == before


def test_events_are_exported_as_they_came(made):
    bay = made(segments=False)
    events = export(bay)
    assert [e["id"] for e in events] == bay.ids
    assert [e["data"]["n"] for e in events[2:]] == list(range(24))
    assert {e["specversion"] for e in events} == {"1.0"}
    assert [e["id"] for e in export(bay, "--since", "20")] == bay.ids[19:]
    assert [e["id"] for e in export(bay, "--since", events[10]["time"])] == [
        e["id"] for e in events if e["time"] >= events[10]["time"]]
    assert export(bay, "--since=2999-01-01T00:00:00Z") == []
    assert [e["id"] for e in export(bay, "--stragglers")] == bay.ids[:1]
    [dead] = export(bay, "--dead", "--annotate")
    assert (dead["id"], dead["patchbayreason"], dead["patchbaylane"]) == (bay.ids[1], "rejected", "all out")
    assert (dead["patchbayseq"], dead["patchbayattempts"]) == ("2", "1")
    assert [e["id"] for e in export(bay, "--lane", "second stuck")] == bay.ids
    assert [e["id"] for e in export(bay, "--lane", "second -> stuck")] == bay.ids
    assert [e["id"] for e in export(bay, "--lane", "all out")] == bay.ids[:1]
    assert export(bay, "--lane", "second stuck", "--dead") == []
    assert command(bay, "export", "--lane", "all oat")[2].endswith("did you mean all out?\n")
    assert command(bay, "export", "--since", "yesterday")[0] == 2


def test_beside_a_daemon_all_is_right_and_copied(engine):
    bay = engine(HTTP + sink(options="retry = 1h") + sink("stuck", route="second"),
                 core="segment_size = 1MiB")
    bay.script("down", "stuck")
    ids = [bay.post(answer="retry"), bay.post(answer="reject")]
    for n in range(4):
        ids += [bay.post(pad=PAD) for _ in range(4)]
        assert verify(bay)[:2] == (0, [])
        copy = bay.folder / ("copy%d" % n)
        status, rows, errors = command(bay, "backup", str(copy), json_lines=True)
        assert status == 0, errors
        assert rows[-1] == {"type": "end", "wrong": 0}
        assert [e["id"] for e in export(bay, "--store", str(copy))] == ids
    assert command(bay, "inspect", json_lines=True)[1][0]["state"] == "running"
    status, _, errors = command(bay, "repair")
    assert status == 1 and "in use by another patchbay, process %d" % bay.daemon.pid in errors
    status, _, errors = command(bay, "backup", str(copy))
    assert status == 1 and "not empty" in errors
    bay.stop()
    # The copy is a store: what was not delivered is.
    shutil.rmtree(bay.state)
    copy.rename(bay.state)
    bay.ids = ids
    deliver_all(bay)


def test_a_copy_while_segments_come_and_go(engine):
    bay = engine(HTTP + sink(options="retry = 1h"), core="segment_size = 1MiB")
    failing = bay.post(answer="retry")
    for n in range(5):
        for _ in range(7):
            bay.post(pad=PAD)
        copy = bay.folder / ("copy%d" % n)
        status, rows, errors = command(bay, "backup", str(copy), json_lines=True)
        assert status == 0, (rows, errors)
        assert [e["id"] for e in export(bay, "--store", str(copy), "--stragglers")] == [failing]
        shutil.rmtree(copy)
    wait_until(lambda: bay.journal()["segments"] <= 2, what="segments are given back")
    bay.stop()
    assert verify(bay) == (0, [], [])
    assert command(bay, "inspect", json_lines=True)[1][0]["kept"] == 1


def test_a_flipped_bit_in_a_block(made):
    bay = made()
    flip(bay.segments[1], 300000)
    status, [wrong], _ = verify(bay)
    assert status == 1
    assert "no valid block" in wrong and "is lost" in wrong and "not yet past them: 'second stuck'" in wrong
    lost = int(wrong.split("event ")[1].split()[0])
    assert command(bay, "repair", "--dry-run")[0] == 0
    assert not (bay.state / "journal" / "damaged").exists()
    status, steps, _ = command(bay, "repair")
    assert status == 0, steps
    [copy] = (bay.state / "journal" / "damaged").iterdir()
    assert steps[0].endswith("as damaged/" + copy.name)
    status, wrong, [note] = verify(bay)
    assert (status, wrong) == (0, []) and copy.name in note
    ids = [e["id"] for e in export(bay)]
    assert ids == [i for n, i in enumerate(bay.ids, 1) if n != lost]
    deliver_all(bay, lost={bay.ids[lost - 1]})


def test_a_missing_segment(made):
    bay = made()
    rows = command(bay, "inspect", json_lines=True)[1]
    gone = [row for row in rows if row["type"] == "segment"][2]
    bay.segments[2].unlink()
    status, [wrong], _ = verify(bay)
    assert status == 1
    assert "segment 0000000000000003 is missing" in wrong
    assert "events %d to %d are lost" % (gone["first"], gone["next"] - 1) in wrong
    assert command(bay, "repair")[0] == 0
    assert verify(bay) == (0, [], [])
    deliver_all(bay, lost=bay.ids[gone["first"] - 1:gone["next"] - 1])


def test_a_segment_damaged_at_its_beginning(made):
    bay = made()
    flip(bay.segments[0], 20)
    flip(bay.segments[0], 80)
    status, wrong, _ = verify(bay)
    assert status == 1 and any("not a journal segment" in line for line in wrong)
    status, steps, _ = command(bay, "repair")
    assert status == 0, steps
    assert (bay.state / "journal" / "damaged" / bay.segments[0].name).exists()
    first = export(bay)[0]["id"]
    deliver_all(bay, lost=bay.ids[:bay.ids.index(first)])


def test_flipped_bits_in_rows(made):
    bay = made(segments=False)
    flip_all(bay.state / "state" / "data.mdb", b"told to say re")
    status, wrong, _ = verify(bay)
    assert status == 1
    assert sum("a damaged row in" in line for line in wrong) == 2
    status, steps, _ = command(bay, "repair")
    assert status == 0, steps
    [dead] = export(bay, "--dead", "--annotate")
    assert (dead["id"], dead["patchbayreason"]) == (bay.ids[1], "unknown")
    bay.script("ok")
    deliver_all(bay)
    bay.wait_delivered(bay.ids[:1])     # the straggler was due at once
    bay.wait_lane(stragglers=0, dead=1)


def test_a_state_that_cannot_be_read_and_one_that_is_missing(made):
    bay = made(segments=False)
    data = bay.state / "state" / "data.mdb"
    data.write_bytes(data.read_bytes()[:8192] + b"\xee" * (data.stat().st_size - 8192))
    status, [wrong], _ = verify(bay)
    assert status == 1 and "repair sets the state aside" in wrong
    assert [e["id"] for e in export(bay)] == bay.ids
    status, steps, _ = command(bay, "repair")
    assert status == 1 and (bay.state / "state" / "damaged-1.mdb").exists()
    assert steps[1].startswith("there is no state (events 1 to 26 are in the journal): a start makes")
    assert len(bay.delivered()) == 24
    bay.script("ok")
    deliver_all(bay)
    bay.daemon.wait_log("THE STATE IS LOST, but the journal holds events 1 to 26")
    wait_until(lambda: len(bay.delivered()) == 24 + 26)
    assert set(bay.delivered()) == set(bay.ids)
    bay.stop()
    assert verify(bay) == (0, [], [])


def test_a_torn_end_and_a_kill_are_told_and_right(made):
    bay = made(segments=False)
    bay.start()
    bay.kill()
    with bay.segments[0].open("ab") as f:
        f.write(b"PBBK and what was being written")
    status, wrong, notes = verify(bay)
    assert (status, wrong) == (0, [])
    assert sorted(note.split(":")[0] for note in notes) == [
        "segment 0000000000000001", "the daemon did not end cleanly"]
    assert bay.segments[0].read_bytes().endswith(b"being written")


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def newer_journal(bay):
    data = bytearray(bay.segments[0].read_bytes())
    data[8:12] = struct.pack("<I", 2)
    data[60:64] = struct.pack("<I", crc32c(data[:60]))
    bay.segments[0].write_bytes(data)


def newer_state(bay):
    path = bay.state / "state" / "data.mdb"
    data = path.read_bytes()
    rows = [b"format" + struct.pack("<II", crc32c(b"\x09format" + value), version)
            for version, value in ((1, b"\1\0\0\0"), (2, b"\2\0\0\0"))]
    assert rows[0] in data
    path.write_bytes(data.replace(*rows))


@pytest.mark.parametrize("newer", [newer_journal, newer_state])
def test_another_format_is_refused_and_left_alone(made, newer):
    bay = made(segments=False)
    newer(bay)
    before = digest(bay.state)
    for args in (["inspect"], ["verify"], ["export"], ["repair"]):
        status, out, errors = command(bay, *args)
        assert (status, out) == (1, []), args
        assert "another format version" in errors
    after = digest(bay.state)
    lock = next(p for p in after if p.name == "lock")
    after[lock] = before[lock]
    assert after == before


def test_no_store_and_no_configuration(folder, patchbay):
    daemon = patchbay("", start=False)
    for args in (["inspect"], ["verify"], ["export"], ["repair"], ["backup", str(folder / "copy")]):
        done = daemon.command("store", *args)
        assert (done.returncode, done.stdout) == (1, ""), args
    assert not daemon.state.exists()
    daemon.config.unlink()
    done = daemon.command("store", "inspect")
    assert done.returncode == 1 and "--store DIR" in done.stderr
    assert isinstance(daemon, Daemon)
