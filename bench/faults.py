"""What goes wrong while calls are due: none may be lost, and none made twice."""
import time
from rig import Rig


def crash(a, name, cmd, rep):
    """1000 msg/s, three kill -9 at fixed places, restart after 1 s; separations last 90 s of event time."""
    gen = ["--count", "30000", "--step", "2.47", "--hold", "90", "--seed", str(7 + rep)]
    r = Rig(a, name, cmd, "crash", rep, gen, 1, ["--delay", "200"])
    try:
        r.start_sut()
        time.sleep(1)
        r.publish(rate=1000, wait=False)
        for at in (10000, 17000, 24000):
            while r.progress() < at:
                time.sleep(0.005)
            r.kill_sut()
            time.sleep(1)
            r.start_sut()
        r.pub_done()
        r.wait_calls(20, 40, quiet=6)
        return r.score()
    finally:
        r.close()


def inflight(a, name, cmd, rep):
    """The API takes 500 ms to answer; kill -9 just after it has received the 4th, 9th and 14th POST."""
    gen = ["--count", "24000", "--step", "2.47", "--seed", str(7 + rep)]
    r = Rig(a, name, cmd, "inflight", rep, gen, 1, ["--delay", "500"])
    try:
        r.start_sut()
        time.sleep(1)
        r.publish(rate=1000, wait=False)
        for k in (4, 9, 14):
            end = time.monotonic() + 60
            while len(r.posts()) < k and time.monotonic() < end:
                time.sleep(0.005)
            time.sleep(0.02)
            r.kill_sut()
            time.sleep(1)
            r.start_sut()
        r.pub_done()
        r.wait_calls(20, 40, quiet=6)
        return r.score()
    finally:
        r.close()


def offline(a, name, cmd, rep, crash=False):
    gen = ["--count", "20000", "--step", "2.47", "--hold", "90", "--seed", str(7 + rep)]
    r = Rig(a, name, cmd, "offcrash" if crash else "offline", rep, gen, 1, ["--down"])
    try:
        r.start_sut()
        time.sleep(1)
        r.publish(rate=2000)
        time.sleep(3)
        if crash:
            r.kill_sut()
            time.sleep(1)
            r.start_sut()
            time.sleep(3)
        t = time.monotonic_ns()
        r.stub_do("up")
        r.wait_calls(20, 40, quiet=6)
        p = [x["t"] for x in r.posts() if x["status"] == 200]
        return dict(first_call_s=(min(p) - t) / 1e9 if p else None, drained_s=(max(p) - t) / 1e9 if p else None, **r.score())
    finally:
        r.close()


def err503(a, name, cmd, rep):
    """The API answers 503 until 8 s after the stream, then works."""
    gen = ["--count", "20000", "--step", "2.47", "--hold", "90", "--seed", str(7 + rep)]
    r = Rig(a, name, cmd, "err503", rep, gen, 1)
    try:
        r.stub_do("status 503")
        r.start_sut()
        time.sleep(1)
        r.publish(rate=2000)
        time.sleep(8)
        refused = len(r.posts())
        r.stub_do("ok")
        r.wait_calls(20, 40, quiet=6)
        return dict(refused_posts=refused, **r.score())
    finally:
        r.close()


def lostanswer(a, name, cmd, rep):
    """The API receives the first 5 POSTs (calls are placed) but the connection dies before the answer."""
    gen = ["--count", "20000", "--step", "2.47", "--seed", str(7 + rep)]
    r = Rig(a, name, cmd, "lostanswer", rep, gen, 1)
    try:
        r.stub_do("drop")
        r.start_sut()
        time.sleep(1)
        r.publish(rate=1000, wait=False)
        end = time.monotonic() + 60
        while len(r.posts()) < 5 and time.monotonic() < end:
            time.sleep(0.005)
        r.stub_do("ok")
        r.pub_done()
        r.wait_calls(20, 40, quiet=8)
        return r.score()
    finally:
        r.close()


def errplaced(a, name, cmd, rep):
    """The API places the first 5 calls but answers 500: a blind retry rings those drivers twice."""
    gen = ["--count", "20000", "--step", "2.47", "--seed", str(7 + rep)]
    r = Rig(a, name, cmd, "errplaced", rep, gen, 1, ["--list-delay", "1500"])
    try:
        r.stub_do("placed 500")
        r.start_sut()
        time.sleep(1)
        r.publish(rate=1000, wait=False)
        end = time.monotonic() + 60
        while len(r.posts()) < 5 and time.monotonic() < end:
            time.sleep(0.005)
        r.stub_do("ok")
        r.pub_done()
        r.wait_calls(20, 40, quiet=8)
        return r.score()
    finally:
        r.close()


FAULTS = dict(crash=crash, inflight=inflight, offline=offline, offcrash=lambda a, n, c, r: offline(a, n, c, r, True),
              err503=err503, lostanswer=lostanswer, errplaced=errplaced)
