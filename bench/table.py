"""The figures beside their goals."""
import json, os, statistics as st
from faults import FAULTS

# Syncs that a call waits for: of the journal and of the database.
SYNCS = 2


def q(v, p):
    v = sorted(v)
    return v[min(len(v) - 1, int(round(p * (len(v) - 1))))]


def table(d):
    setup = json.load(open(os.path.join(d, "setup.json")))
    rows = [json.loads(l) for l in open(os.path.join(d, "results.jsonl"))]
    good = [r for r in rows if "error" not in r]
    of = lambda what, who: [r for r in good if r["what"] == what and r["who"] == who]
    med = lambda rs, key: st.median(x) if (x := [r[key] for r in rs if r.get(key) is not None]) else None
    subs = {r["rep"]: r for r in of("sub", "mosquitto_sub")}
    ratio = lambda who, key: st.median(x) if (x := [r[key] / subs[r["rep"]][key] for r in of("flood", who)
                                                    if r.get(key) and r["rep"] in subs]) else None
    lat = lambda what, who, p: st.median(x) if (x := [q(r["lat_ms"], p) for r in of(what, who) if r.get("lat_ms")]) else None
    show = lambda x, digits=3: "–" if x is None else f"{x:.{digits}g}" if abs(x) < 100 else f"{x:,.0f}"
    peers = [w for w in ("raw", "node-red", "python") if of("flood", w)]
    out = []

    def line(name, goal, value, reached, others=()):
        verdict = "–" if reached is None else "yes" if reached else "**no**"
        out.append("| " + " | ".join([name, goal, value, verdict, *(others or ["–"] * (1 + len(peers)))]) + " |")

    def at_most(name, limit, value, unit="", others=(), goal=None, digits=3):
        line(name, goal or f"≤ {limit:g}{unit}", show(value, digits) + (unit if value is not None else ""),
             None if value is None else value <= limit, others)

    who = ["gladhand", *peers]
    cpu = {w: ratio(w, "cpu_s_per_100k") for w in who}
    rate = {w: ratio(w, "msg_per_s") for w in who}
    at_most("CPU in a flood, of mosquitto_sub's", 1.0, cpu["gladhand"], "×", ["1×"] + [show(cpu[w]) + "×" for w in peers])
    line("messages per second in a flood, of mosquitto_sub's", "≥ 1×", show(rate["gladhand"]) + "×",
         None if rate["gladhand"] is None else rate["gladhand"] >= 0.995, ["1×"] + [show(rate[w]) + "×" for w in peers])
    mine = med(of("flood", "gladhand"), "cpu_s_per_100k")
    line("the same in CPU seconds per 100,000, and in messages per second", "–",
         f"{show(mine)} s, {show(med(of('flood', 'gladhand'), 'msg_per_s'))}", None,
         [f"{show(med(of('sub', 'mosquitto_sub'), 'cpu_s_per_100k'))} s, {show(med(of('sub', 'mosquitto_sub'), 'msg_per_s'))}"]
         + [f"{show(med(of('flood', w), 'cpu_s_per_100k'))} s, {show(med(of('flood', w), 'msg_per_s'))}" for w in peers])
    at_most("CPU per 100,000 at 500 a second", 4, med(of("latency", "gladhand"), "cpu_s_per_100k"), " s",
            ["–"] + [show(med(of("latency", w), "cpu_s_per_100k")) + " s" for w in peers])
    at_most("resident, 200 units, after the flood", 12, med(of("flood", "gladhand"), "rss_mib"), " MiB",
            [show(med(of("sub", "mosquitto_sub"), "rss_mib")) + " MiB"] + [show(med(of("flood", w), "rss_mib")) + " MiB" for w in peers])
    scales = sorted((r for r in good if r["what"].startswith("scale")), key=lambda r: r["units"])
    for r in scales:
        if r["units"] == 20_000:
            at_most("resident, 20,000 units, after a flood", 64, r["rss_mib"], " MiB")
    for p, base in ((0.5, 0.3), (0.99, 2.0)):
        sync = med(of("floor", "disk"), f"p{int(p * 100)}_ms")
        if sync is not None:
            at_most(f"deciding message to POST, p{int(p * 100)}", base + SYNCS * sync, lat("latency", "gladhand", p), " ms",
                    ["–"] + [show(lat("latency", w, p)) + " ms" for w in peers],
                    f"≤ {base:g} ms + {SYNCS} syncs of {show(sync)} ms")
    at_most("the same in a flood, p99", 50, lat("flood", "gladhand", 0.99), " ms",
            ["–"] + [show(lat("flood", w, 0.99)) + " ms" for w in peers])
    for r in of("burst", "gladhand"):
        name = f"{setup['burst']:,} messages at once"
        line(f"{name}: taken per second; CPU per 100,000; resident at most", "–",
             f"{show(r['msg_per_s'])}; {show(r['cpu_s_per_100k'])} s; {show(r['peak_mib'])} MiB", None)
        if r["leave_ms"]:
            at_most(f"{name}: decision to POST, p99", 50, q(r["leave_ms"], 0.99), " ms")
    at_most("decide one report", 300, setup.get("decide_ns"), " ns")
    at_most("decide one report of 20,000 units", 300, setup.get("decide_many_ns"), " ns")
    at_most("decode one report", 1000, setup.get("decode_ns"), " ns", goal="≤ 1000 ns")
    if scales:
        at_most("bytes to the disk per message, each pair kept once in ten minutes of its own time", 0.5, scales[0]["bytes_per_message"], "", goal="0")
        at_most("start to subscribed, 10,000 stored calls", 0.1, scales[0]["start_with_calls_s"], " s")
        if "wakes_per_s" in scales[0]:
            line("wakes per second with nothing to do; of one core at 20 reports a second", "–",
                 f"{show(scales[0]['wakes_per_s'])}; {show(scales[0]['quiet_cpu'] * 100)} %", None)
    at_most("stripped binary", 10, setup["binary_mib"], " MiB")
    faults = {w: [r for f in FAULTS for r in of(f, w)] for w in who}
    lost = {w: (sum(r["lost"] for r in v), sum(r["duplicated"] for r in v)) for w, v in faults.items() if v}
    if "gladhand" in lost:
        line(f"calls lost / made twice, in {len(faults['gladhand'])} runs of {len({r['what'] for r in faults['gladhand']})} faults",
             "0 / 0", "%d / %d" % lost["gladhand"], lost["gladhand"] == (0, 0),
             ["–"] + ["%d / %d" % lost[w] if w in lost else "–" for w in peers])
    wrong = sum(r.get("false", 0) + r.get("lost", 0) + r.get("duplicated", 0) for w in ("latency", "flood", "burst") for r in of(w, "gladhand"))
    line("calls lost, made twice or for nothing, without a fault", "0", str(wrong), wrong == 0)
    print(f"{setup['date']}, {setup['machine']}; load before {setup['load']}; {setup['reps']} repetitions, medians.\n")
    print("| figure | goal | gladhand | reached | mosquitto_sub | " + " | ".join(peers) + (" |" if peers else ""))
    print("|---|---|---|---|---|" + "---|" * len(peers))
    print("\n".join(out))
    if scales:
        print("\n| units | start to subscribed | CPU per 100,000 | resident | with 10,000 calls: start | resident | calls list | health |")
        print("|---|---|---|---|---|---|---|---|")
        for r in scales:
            print(f"| {r['units']:,} | {show(r['start_s'])} s | {show(r['cpu_s_per_100k'])} s | {show(r['rss_mib'])} MiB "
                  f"| {show(r['start_with_calls_s'])} s | {show(r['rss_with_calls_mib'])} MiB | {show(r['calls_list_ms'])} ms "
                  f"| {show(r['health_ms'])} ms |")
    for r in rows:
        if "error" in r:
            print(f"\nfailed: {r['what']} of {r['who']}: {r['error']}")
