"""The engine's promises about deliveries: retries, order, breaker, filters, restarts."""

from engine import HTTP, WRITE, engine, of, sink  # noqa: F401  (a fixture)
from harness import wait_until

FAST = "retry = exponential(50ms, 50ms, 1000)"


def filters(*sections):
    return "".join("\n[filter %s]\nplugin = probe_filter\n%s\n" % pair for pair in sections)


def gaps(log):
    """The times between attempts, ms."""
    return [b["got"] - a["t"] for a, b in zip(log, log[1:])]


# Retry

def test_attempts_follow_the_schedule_and_then_the_event_is_dead(engine):
    bay = engine(HTTP + sink(options="retry = 100ms, 300ms"))
    event = bay.post(answer="retry")
    bay.wait_lane(dead=1, stragglers=0)
    log = bay.log()
    assert [(d["id"], d["attempt"]) for d in log] == [(event, 1), (event, 2), (event, 3)]
    assert gaps(log)[0] >= 80 and gaps(log)[1] >= 240
    assert max(gaps(log)) < 2000
    bay.stop()
    [dead] = of(bay.store(), "dead")
    assert (dead["id"], dead["reason"], dead["attempts"]) == (event, "exhausted", 3)
    assert dead["error"] == "told to say retry"


def test_a_rejected_event_is_dead_at_once(engine):
    bay = engine(HTTP + sink())
    event = bay.post(answer="reject")
    other = bay.post()
    bay.wait_lane(dead=1, delivered=1)
    bay.restart()
    last = bay.post()
    bay.wait_delivered([other, last])
    bay.stop()
    assert [d["id"] for d in bay.log()] == [event, other, last]
    [dead] = of(bay.store(), "dead")
    assert (dead["id"], dead["reason"]) == (event, "rejected")


def test_a_receiver_is_not_asked_sooner_than_it_said(engine):
    bay = engine(HTTP + sink(options="retry = 10ms, 10ms"))
    bay.wait_delivered([bay.post(answer="retry/700 ok")])
    assert 700 <= gaps(bay.log())[0] < 3000


def test_a_receiver_cannot_put_off_an_event_for_ever(engine):
    bay = engine(HTTP + sink(options="retry = 10ms\nmax_retry_after = 200ms"))
    bay.wait_delivered([bay.post(answer="retry/100000 ok")])
    assert 200 <= gaps(bay.log())[0] < 3000


def test_an_event_that_is_too_old_is_dead(engine):
    bay = engine(HTTP + sink(options=FAST + "\nexpire = 1s"))
    bay.post(answer="retry")
    bay.wait_lane(dead=1, stragglers=0)
    bay.stop()
    [dead] = of(bay.store(), "dead")
    assert dead["reason"] == "expired"


# Order

def check_strict(bay):
    first = bay.post()
    failing = bay.post(answer="retry retry ok")
    ids = [first, failing] + [bay.post() for _ in range(20)]
    bay.wait_delivered(ids)
    assert bay.delivered() == ids
    assert [d["id"] for d in bay.log()[1:4]] == [failing] * 3


def test_a_strict_lane_waits_in_place(engine):
    check_strict(engine(HTTP + sink(plugin=WRITE, options=FAST)))


def test_a_strict_lane_to_an_asynchronous_sink_waits_in_place(engine):
    check_strict(engine(HTTP + sink(options=FAST + "\norder = strict")))


def test_a_strict_lane_goes_on_behind_a_dead_letter(engine):
    bay = engine(HTTP + sink(plugin=WRITE, options="retry = 50ms"))
    ids = [bay.post(), bay.post(answer="retry"), bay.post(answer="reject"), bay.post()]
    bay.wait_delivered([ids[0], ids[3]])
    assert [d["id"] for d in bay.log()] == [ids[0], ids[1], ids[1], ids[2], ids[3]]
    bay.wait_lane(dead=2)


def test_a_relaxed_lane_lets_others_pass(engine):
    bay = engine(HTTP + sink(options="retry = 700ms"))
    failing = bay.post(answer="retry ok")
    others = [bay.post() for _ in range(20)]
    bay.wait_delivered([failing, *others])
    assert bay.delivered() == [*others, failing]


def test_a_straggler_behind_a_slow_delivery_is_tried_again(engine):
    bay = engine(HTTP + sink(options="retry = 100ms"))
    slow = bay.post(delay=700)
    failing = bay.post(answer="retry ok", delay=0)
    log = bay.wait_delivered([slow, failing], timeout=4)
    assert len([d for d in log if d["id"] == failing]) == 2


def test_answers_out_of_order_settle_their_own_events(engine):
    bay = engine(HTTP + sink(options=FAST + "\ndelay = 30ms\nshuffle = yes\nfail = 30"))
    ids = [bay.post() for _ in range(300)]
    bay.wait_delivered(ids, timeout=20)
    bay.wait_lane(delivered=300, stragglers=0)
    assert sorted(bay.delivered()) == sorted(ids)


# The sink as a whole

def test_a_sink_that_is_down_is_probed_and_reopens(engine):
    bay = engine(HTTP + sink(options=FAST))
    bay.script("down")
    ids = [bay.post() for _ in range(100)]
    bay.wait_log(1)
    wait_until(lambda: len({d["got"] for d in bay.log()[-2:]}) == 2 and gaps(bay.log())[-1] > 1500)
    held = len(bay.log())
    assert bay.row(type="instance", name="out")["state"] in ("down", "probing")
    bay.script("ok")
    bay.wait_delivered(ids)
    # Attempts of events that were held are not burnt, and no probe had company.
    assert {d["attempt"] for d in bay.log()} == {1}
    probes = [d for d in bay.log()[:held] if d["got"] > bay.log()[0]["got"] + 900]
    assert all(gap > 900 for gap in gaps(probes)) and {d["batch"] for d in probes} == {1}
    assert "is down, held until it answers" in bay.daemon.log
    bay.daemon.wait_log("is up again")
    assert len(bay.delivered()) == 100


def test_a_sink_that_is_down_is_asked_when_it_said(engine):
    bay = engine(HTTP + sink(options="max_retry_after = 2500ms"))
    bay.script("down/1000000")
    ids = [bay.post(), bay.post()]
    bay.wait_log(1)
    bay.script("ok")
    bay.wait_delivered(ids)
    assert 2500 <= bay.log()[-2]["got"] - bay.log()[0]["got"] < 6000


def test_a_sink_that_is_gone_is_disabled_until_it_is_enabled(engine):
    bay = engine(HTTP + sink() + sink("other", route="second"))
    bay.script("ok", "other")
    gone = bay.post(answer="gone")
    bay.daemon.wait_log("is disabled until .*: the receiver is gone")
    later = [bay.post() for _ in range(10)]
    bay.wait_delivered(later, "other")
    assert [d["id"] for d in bay.log()] == [gone]
    assert bay.row(type="instance", name="out")["state"] == "disabled"
    bay.script("ok")
    bay.restart()
    assert bay.row(type="instance", name="out")["state"] == "disabled"
    assert bay.daemon.command("sink", "enable", "out").returncode == 0
    bay.wait_delivered([gone, *later])
    assert bay.delivered() == [gone, *later]


def check_untried(bay, word):
    bay.script(word)
    ids = [bay.post() for _ in range(3)]
    bay.wait_log(3)
    calls = sorted({d["got"] for d in bay.log()})
    wait_until(lambda: bay.log()[-1]["got"] - calls[0] > 2500)
    took = (bay.log()[-1]["got"] - calls[0]) / 1000
    assert len(bay.log()) <= 3 + 3 * (took + 1)
    bay.script("ok")
    bay.wait_delivered(ids)
    assert {d["attempt"] for d in bay.log()} == {1}


def test_untried_never_spins(engine):
    check_untried(engine(HTTP + sink(options="max_batch = 1\nmax_in_flight = 1")), "untried")


def test_a_write_that_answers_nothing_never_spins(engine):
    check_untried(engine(HTTP + sink(plugin=WRITE)), "silent")


# Filters

def test_filters_drop_and_split_in_turn(engine):
    chain = filters(("pick", ""), ("halve", "mode = split\ncount = 2"))
    bay = engine(HTTP + chain + sink(filters="pick, halve") + sink("plain", route="second"))
    dropped = bay.post(filter="drop")
    kept = bay.post()
    bay.wait_delivered([kept, kept + "~2"])
    bay.wait_delivered([dropped, kept], "plain")
    assert sorted(bay.delivered()) == [kept, kept + "~2"]
    assert bay.lane()["filtered"] == 1
    bay.wait_lane(behind=0)


def test_splitting_twice_makes_no_id_twice(engine):
    chain = filters(("first", "mode = split\ncount = 3"), ("second", "mode = split\ncount = 2"))
    bay = engine(HTTP + chain + sink(filters="first, second"))
    event = bay.post()
    log = bay.wait_log(6)
    assert len({d["id"] for d in log}) == 6
    assert all(d["id"].split("~")[0] == event for d in log)


def test_only_the_part_that_failed_is_tried_again(engine):
    bay = engine(HTTP + filters(("split", "mode = split\ncount = 3")) +
                 sink(options=FAST, filters="split"))
    event = bay.post(answers=["ok", "retry retry ok", "ok"])
    bay.wait_delivered([event, event + "~2", event + "~3"])
    assert sorted(d["id"] for d in bay.log()) == [event] + [event + "~2"] * 3 + [event + "~3"]


def test_splitting_and_a_filter_behind_it_that_drops(engine):
    chain = filters(("split", "mode = split\ncount = 3"), ("last", "mode = drop"))
    bay = engine(HTTP + chain + sink(filters="split, last"))
    bay.post()
    bay.wait_lane(filtered=1, behind=0)
    assert bay.log() == []


def test_parts_that_arrived_are_remembered_over_a_restart(engine):
    bay = engine(HTTP + filters(("split", "mode = split\ncount = 3")) +
                 sink(options="retry = 1500ms", filters="split"))
    event = bay.post(answers=["ok", "retry ok", "ok"])
    bay.wait_lane(stragglers=1)
    bay.restart()
    bay.wait_delivered([event + "~2"])
    bay.wait_lane(stragglers=0)
    assert sorted(d["id"] for d in bay.log()) == [event] + [event + "~2"] * 2 + [event + "~3"]


def test_a_filter_that_fails_makes_stragglers_and_dead_letters(engine):
    bay = engine(HTTP + filters(("probe", "count = 2")) + sink(options=FAST, filters="probe"))
    late, dead = bay.post(filter="retry"), bay.post(filter="reject")
    ids = [bay.post() for _ in range(5)]
    bay.wait_delivered([late, *ids])
    bay.wait_lane(dead=1, stragglers=0)
    assert dead not in bay.delivered()
    bay.stop()
    [row] = of(bay.store(), "dead")
    assert (row["id"], row["reason"]) == (dead, "filter")
    assert row["error"] == "filter probe: told to reject"


def test_a_filter_that_fails_in_a_strict_lane_keeps_the_order(engine):
    bay = engine(HTTP + filters(("probe", "count = 1")) +
                 sink(plugin=WRITE, options="delay = 150ms\nmax_batch = 1\n" + FAST,
                      filters="probe"))
    kinds = ["pass", "pass", "retry", "pass", "retry", "retry", "pass"]
    ids = [bay.post(filter=kind) for kind in kinds]
    bay.wait_delivered(ids)
    assert bay.delivered() == ids


# Restarts

def test_stragglers_survive_a_restart_with_their_ids(engine):
    bay = engine(HTTP + sink(options="retry = 1s"))
    failing = bay.post(answer="retry ok")
    dead = bay.post(answer="reject")
    others = [bay.post() for _ in range(3)]
    bay.wait_lane(stragglers=1, dead=1, delivered=3)
    bay.restart()
    bay.wait_delivered([failing, *others])
    bay.wait_lane(stragglers=0, dead=1)
    log = bay.log()
    assert [(d["id"], d["attempt"]) for d in log if d["id"] == failing] == [(failing, 1),
                                                                         (failing, 2)]
    assert sorted(d["id"] for d in log) == sorted([failing, failing, dead, *others])


def test_a_strict_lane_keeps_its_place_and_attempts_over_a_restart(engine):
    bay = engine(HTTP + sink(plugin=WRITE, options="retry = 1500ms, 1h"))
    ids = [bay.post(), bay.post(answer="retry ok"), bay.post(), bay.post()]
    bay.wait_log(2)
    bay.wait_lane(stragglers=1)
    bay.restart()
    bay.wait_delivered(ids)
    bay.wait_lane(stragglers=0, behind=0)
    assert [(d["id"], d["attempt"]) for d in bay.log()] == [
        (ids[0], 1), (ids[1], 1), (ids[1], 2), (ids[2], 1), (ids[3], 1)]
    assert gaps(bay.log())[1] >= 1200


def test_rows_ahead_of_the_watermark_are_not_delivered_twice(engine):
    """One hangs, so the watermark cannot pass it; those behind it failed and were written down."""
    bay = engine(HTTP + sink(options="retry = 1h"))
    hung = bay.post(answer="silent ok", delay=0)
    failing, dead = bay.post(answer="retry ok"), bay.post(answer="reject")
    bay.wait_lane(dead=1, waiting=1)
    bay.daemon.kill()
    bay.script("ok")
    bay.start()
    last = bay.post()
    bay.wait_delivered([hung, last])
    bay.wait_lane(stragglers=1, dead=1, behind=0)
    bay.stop()
    assert [d["id"] for d in bay.log()].count(failing) == 1
    assert [d["id"] for d in bay.log()].count(dead) == 1
    bay.store()


def test_hung_deliveries_do_not_make_others_repeat(engine):
    """They get rows, so that the watermark passes them."""
    bay = engine(HTTP + sink())
    hung = [bay.post(answer="silent ok", delay=0) for _ in range(10)]
    ids = [bay.post() for _ in range(20)]
    bay.wait_delivered(ids)
    bay.wait_lane(stragglers=10, behind=0, timeout=6)
    bay.script("ok")
    wait_until(lambda: set(hung) <= set(bay.delivered()))
    bay.wait_lane(stragglers=0)
    bay.restart()
    last = bay.post()
    bay.wait_delivered([last])
    assert sorted(bay.delivered()) == sorted([*hung, *ids, last])


def test_deliveries_that_hang_one_after_the_other_do_not_make_others_repeat(engine):
    bay = engine(HTTP + sink())
    first = bay.post(answer="silent ok", delay=0)
    passed = bay.post(delay=1000)
    bay.wait_lane(delivered=1)
    second = bay.post(answer="silent ok", delay=0)
    last = bay.post()
    bay.wait_delivered([last])
    bay.wait_lane(stragglers=2, behind=0, timeout=6)
    bay.script("ok")
    bay.wait_delivered([first, second])
    bay.wait_lane(behind=0, stragglers=0)
    assert sorted(bay.delivered()) == sorted([first, passed, second, last])


def test_a_removed_sink_leaves_dead_letters_and_pins_nothing(engine):
    plain = sink("keep", options=FAST)
    bay = engine(HTTP + plain + sink(options="retry = 1h", route="second"))
    failing = bay.post(answer="retry ok")
    bay.wait_delivered([bay.post()])
    bay.wait_lane(stragglers=1)
    bay.restart(HTTP + plain, core="segment_size = 1MiB")
    bay.daemon.wait_log("'second out'.* has left the configuration: 1 deliveries")
    for _ in range(24):
        bay.post(pad="x" * 200000)
    wait_until(lambda: bay.journal()["segments"] <= 2, what="segments are given back")
    bay.stop()
    rows = bay.store()
    [dead] = of(rows, "dead")
    assert (dead["id"], dead["reason"], dead["lane"]) == (failing, "removed", "second out")
    assert of(rows, "straggler") == []
    # It comes back: what was dead stays dead, and nothing of old is delivered.
    bay.start(HTTP + plain + sink(options="retry = 1h", route="second"))
    last = bay.post()
    bay.wait_delivered([last])
    bay.wait_lane(dead=1, stragglers=0, behind=0)
    assert [d["id"] for d in bay.log()].count(failing) == 1
    assert bay.log()[-1]["id"] == last


def test_segments_go_while_stragglers_are_kept(engine):
    bay = engine(HTTP + sink(options=FAST), core="segment_size = 1MiB")
    failing = [bay.post(answer="retry") for _ in range(5)]
    rejected = bay.post(answer="reject")
    for _ in range(30):
        bay.post(pad="x" * 200000)
    wait_until(lambda: bay.journal()["segments"] <= 2, what="segments are given back")
    bay.restart(kill=True)
    bay.post()
    bay.wait_lane(stragglers=5, dead=1)
    bay.script("ok")
    bay.wait_delivered(failing)
    bay.wait_lane(stragglers=0, behind=0)
    bay.stop()
    rows = bay.store()
    [dead] = of(rows, "dead")
    assert dead["id"] == rejected
    assert [(k["seq"], k["rows"]) for k in of(rows, "kept")] == [(dead["seq"], 1)]
