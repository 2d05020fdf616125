"""A daemon on a damaged store that nobody has repaired: it says what is wrong, loses no more than that, and goes on."""

import shutil

from engine import HTTP, engine, inspect, sink      # noqa: F401
from test_store import command, deliver_all, flip, flip_all, made   # noqa: F401


def copy_of(folder):
    there = folder.with_name(folder.name + ".copy")
    shutil.copytree(folder, there)
    return there


def put_back(folder):
    shutil.rmtree(folder)
    folder.with_name(folder.name + ".copy").rename(folder)


def test_a_flipped_bit_in_a_block(made):        # noqa: F811
    bay = made()
    flip(bay.segments[1], 300000)
    bay.script("ok", "stuck")
    bay.start()
    bay.daemon.wait_log("no valid block; set aside as damaged/")
    bay.wait_lane("stuck", behind=0, waiting=0, timeout=20)
    assert len(set(bay.ids) - set(bay.delivered("stuck"))) == 1
    bay.stop()
    bay.store()


def test_a_segment_missing_in_the_middle(made):     # noqa: F811
    bay = made()
    gone = [row for row in command(bay, "inspect", json_lines=True)[1] if row["type"] == "segment"][2]
    bay.segments[2].unlink()
    deliver_all(bay, lost=bay.ids[gone["first"] - 1:gone["next"] - 1])
    bay.daemon.wait_log(r"error journal: .*0000000000000003.seg is missing")
    bay.post()
    bay.stop()
    assert all("is missing" in line for line in inspect(bay.state)[1])


def test_flipped_bits_in_rows(made):        # noqa: F811
    """A row of a delivery that waits: it is made at once. One of a dead letter: it stays, and is told."""
    bay = made(segments=False)
    flip_all(bay.state / "state" / "data.mdb", b"told to say re")
    bay.script("ok")
    deliver_all(bay)
    bay.daemon.wait_log("damaged row in stragglers")
    bay.wait_delivered(bay.ids[:1])
    bay.wait_lane(stragglers=0)
    bay.stop()
    rows, wrong = inspect(bay.state)
    assert not [row for row in rows if row["type"] == "straggler"]
    assert all("dead" in line for line in wrong), wrong


def test_a_state_older_than_the_journal(made):      # noqa: F811
    """As restored from a backup: what was delivered since comes again, and nothing is lost."""
    bay = made(segments=False)
    copy_of(bay.state / "state")
    bay.script("ok", "stuck")
    bay.script("ok")
    bay.start()
    more = [bay.post() for _ in range(5)]
    bay.wait_delivered(bay.ids + more, "stuck")
    bay.wait_delivered(more)
    bay.stop()
    put_back(bay.state / "state")
    bay.start()
    bay.wait_lane("stuck", behind=0, waiting=0)
    bay.wait_lane(behind=0, waiting=0)
    more.append(bay.post())
    bay.wait_delivered(more, "stuck")
    bay.wait_delivered(more)
    bay.stop()
    bay.store()


def test_a_journal_older_than_the_state(made):      # noqa: F811
    """Numbers that the state has seen are not given again, and what rows need and is gone is told."""
    bay = made(segments=False)
    copy_of(bay.state / "journal")
    bay.script("ok", "stuck")
    bay.script("retry/3600000")
    bay.start()
    lost = [bay.post() for _ in range(5)]
    bay.wait_lane(stragglers=6)
    bay.stop()
    highest = max(row["seq"] for row in bay.store() if row["type"] == "straggler")
    put_back(bay.state / "journal")
    bay.script("ok")
    bay.start()
    bay.daemon.wait_log("THE JOURNAL ENDS BEFORE WHAT THE STATE KNOWS")
    more = [bay.post() for _ in range(3)]
    bay.wait_delivered(more)
    bay.wait_delivered(more, "stuck")
    assert len(bay.delivered()) == len(set(bay.delivered()))
    bay.stop()
    first = [row for row in command(bay, "export", "--annotate", json_lines=True)[1] if row["id"] == more[0]]
    assert not first or int(first[0]["patchbayseq"]) > highest
    assert not set(lost) & set(bay.delivered())
