"""What is measured, one function a scenario: of a system, in one repetition."""
import json, os, statistics as st, subprocess, time
from rig import Rig, cpu_s, rss_mib, wakes, written


def latency(a, name, cmd, rep):
    """500 messages a second: what one costs when each finds us asleep, and how soon a call leaves."""
    gen = ["--count", str(a.paced), "--step", "2.47", "--separations", "50", "--seed", str(7 + rep)]
    r = Rig(a, name, cmd, "latency", rep, gen, 1)
    try:
        r.listen()
        boot = r.start_sut()
        time.sleep(3)
        c0 = cpu_s(r.sut_pids())
        pub = r.publish(rate=500)
        r.wait_calls(50, 10)
        cpu = cpu_s(r.sut_pids()) - c0
        return dict(boot_s=boot, cpu_s_per_100k=cpu / pub["messages"] * 1e5, lat_ms=r.latencies_ms(), **r.score())
    finally:
        r.close()


def flood(a, name, cmd, rep):
    """As fast as the broker takes it, in a window of 1,000 unacknowledged."""
    gen = ["--count", str(a.flood), "--step", "1.03", "--seed", str(7 + rep)]
    r = Rig(a, name, cmd, "flood", rep, gen, 1)
    try:
        r.listen()
        r.start_sut()
        time.sleep(1)
        c0 = cpu_s(r.sut_pids())
        pub = r.publish()
        r.wait_calls(20, 60)
        cpu = cpu_s(r.sut_pids()) - c0
        out = dict(rss_mib=rss_mib(r.sut_pids()), cpu_s_per_100k=cpu / pub["messages"] * 1e5, lat_ms=r.latencies_ms(), **r.score())
        first = {}
        for p in r.posts():
            first.setdefault(p["body"].get("to_number"), p["t"])
        last = max(r.expect, key=lambda e: int(e["decide_index"]))
        if last["phone"] in first:
            out["msg_per_s"] = (int(last["decide_index"]) + 1) * 1e9 / (first[last["phone"]] - pub["t0"])
        return out
    finally:
        r.close()


def burst(a, name, cmd, rep):
    """All of it waits at the broker when gladhand comes back: how fast it is taken, what that costs, and how long after its
    decision a call leaves meanwhile."""
    gen = ["--count", str(a.burst), "--step", "1.03", "--pairs", str(max(100, a.burst // 2000)), "--separations", "50", "--seed", str(7 + rep)]
    r = Rig(a, name, cmd, "burst", rep, gen, 1)
    try:
        r.start_sut()
        time.sleep(1)
        r.kill_sut()
        messages = r.publish()["messages"]
        r.listen()
        t = time.monotonic()
        r.start_sut()
        took = r.until(lambda h: h["telemetry"]["received"] >= messages, 300) - t
        r.wait_calls(50, 20)
        pids = r.sut_pids()
        decided = {}
        for l in open(r.dir + "/calls.jsonl"):
            c = json.loads(l)
            if c["state"] == "pending":
                decided.setdefault(c["call_sid"], c["at"])
        wall = time.time() - time.monotonic()
        leaves = []
        for p in r.posts():
            sid = p["body"]["conversation_initiation_client_data"]["dynamic_variables"]["call_sid"]
            if sid in decided:
                leaves.append((p["t"] / 1e9 + wall - decided[sid]) * 1e3)
        return dict(msg_per_s=messages / took, cpu_s_per_100k=cpu_s(pids) / messages * 1e5, peak_mib=rss_mib(pids, "VmHWM"),
                    leave_ms=leaves, **r.score())
    finally:
        r.close()


def scale(a, name, cmd, units):
    """The same with more units, then with 10,000 calls in the store."""
    count = max(60_000, 28 * units)
    gen = ["--count", str(count), "--step", "10", "--pairs", str(units // 2), "--separations", "0", "--seed", "7"]
    r = Rig(a, name, cmd, f"scale-{units}", 0, gen, 1, ["--down"])
    try:
        out = dict(units=units, start_s=r.start_sut())
        r.until(lambda h: h["mqtt"]["connected"], 10)
        if units == 200:
            out.update(idle(r))
        before = r.ask("/health")["telemetry"]["received"]
        pids = r.sut_pids()
        c0, w0 = cpu_s(pids), written(pids)
        messages = r.publish()["messages"]
        r.until(lambda h: h["telemetry"]["received"] >= before + messages, 120)
        out.update(cpu_s_per_100k=(cpu_s(pids) - c0) / messages * 1e5, rss_mib=rss_mib(pids),
                   bytes_per_message=(written(pids) - w0) / messages)
        requests = "".join(json.dumps(dict(callType="bench", timestamp="", drivers=[dict(
            driverId=f"Q{n}", driverName="Driver", phoneNumber=f"+1212555{100 + n % 100:04}")])) + "\n" for n in range(10_000))
        subprocess.run(["mosquitto_pub", "-p", str(r.mport), "-q", "1", "-l", "-t", "gladhand/calls/request"], input=requests,
                       text=True, check=True)
        waiting = lambda h: h["calls"]["pending"] + h["calls"]["held"] >= 10_000
        r.until(waiting, 120)
        starts = []
        for _ in range(3):
            r.kill_sut()
            starts.append(r.start_sut())
            r.until(waiting, 10)
        out.update(start_with_calls_s=st.median(starts), rss_with_calls_mib=rss_mib(r.sut_pids()))
        for what, path in (("calls_list_ms", "/calls"), ("health_ms", "/health")):
            took = []
            for _ in range(5):
                t = time.monotonic()
                r.ask(path)
                took.append((time.monotonic() - t) * 1e3)
            out[what] = st.median(took)
        return out
    finally:
        r.close()


def idle(r, seconds=15):
    """Nothing to do, and then one report of each unit in ten seconds."""
    time.sleep(2)
    pids, w = r.sut_pids(), wakes(r.sut_pids())
    time.sleep(seconds)
    out = dict(wakes_per_s=(wakes(pids) - w) / seconds)
    r.publish(rate=20, wait=False)
    time.sleep(1)
    c = cpu_s(pids)
    time.sleep(seconds)
    out["quiet_cpu"] = (cpu_s(pids) - c) / seconds
    r.pub.kill()
    r.pub.wait()
    return out


def floor(a, name, cmd, rep):
    """What this disk takes to make 256 bytes durable."""
    o = subprocess.run([a.kit, "fsyncfloor", "--file", os.path.join(a.out, "fsync.tmp")], capture_output=True, text=True, check=True)
    return json.loads(o.stdout)


def sub(a, name, cmd, rep):
    """mosquitto_sub on the stream of `flood`: what the broker and a client that does nothing manage."""
    gen = ["--count", str(a.flood), "--step", "1.03", "--seed", str(7 + rep)]
    r = Rig(a, name, "", "sub", rep, gen, 1)
    n = (a.flood + 199) // 200 * 200
    try:
        b = r.subscriptions()
        c = ["mosquitto_sub", "-p", str(r.mport), "-q", "1", "-t", "fleet/+/telemetry", "-C", str(n)]
        p = subprocess.Popen(c, stdout=subprocess.DEVNULL)
        while r.subscriptions() <= b:
            time.sleep(0.02)
        time.sleep(0.5)
        hwm, done, k = 0, False, 0
        r.publish(wait=False)
        dead = time.monotonic() + 90
        while time.monotonic() < dead and not done:
            if k % 50 == 0:
                hwm = max(hwm, rss_mib([p.pid], "VmHWM"))
            k += 1
            time.sleep(0.003)
            q, status, ru = os.wait4(p.pid, os.WNOHANG)
            done = q != 0
        t = time.monotonic_ns()
        if not done:
            p.kill()
            _, _, ru = os.wait4(p.pid, 0)
        p.returncode = 0
        pub = r.pub_done()
        return dict(complete=done, msg_per_s=n * 1e9 / (t - pub["t0"]),
                    cpu_s_per_100k=(ru.ru_utime + ru.ru_stime) / n * 1e5, rss_mib=hwm)
    finally:
        r.close()
