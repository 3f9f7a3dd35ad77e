#!/usr/bin/env python3
"""gladhand beside mosquitto_sub, a raw reader and the usual stacks, on the same streams in one interleaved run; then its figures
beside their goals, as a Markdown table.

  run.py --gladhand PROGRAM --kit PROGRAM --out DIR [--quick] [--decide-ns N --decide-many-ns N --decode-ns N]
         [--node-red DIR] [--python PROGRAM] [--reps N]
  run.py --table DIR          prints the table of a former run again

`make bench` calls it. Python's standard library only; Linux only, since it reads /proc. The kit (src/) is the generator, publisher,
vendor's API and raw reader.

The work: 100 pairs of tractor and trailer on `fleet/<unit>/telemetry`, some of which come apart; 20 (50 in `latency`) must be
called about, 20 traps must not. The stream is a function of its seed, and is encoded before the clock starts. Every run has a fresh broker,
API and state directory; systems take turns within each repetition, in reverse order in every other one. Processor time is read
from /proc, in ticks of 10 ms, of the whole session. A ratio is taken within its repetition, the table shows medians.
"""
import argparse, json, os, platform, shutil, signal, sys, time
from concurrent.futures import ThreadPoolExecutor
from faults import FAULTS
from measure import burst, floor, flood, latency, scale, sub
from table import table

HERE = os.path.dirname(os.path.abspath(__file__))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--gladhand")
    p.add_argument("--kit")
    p.add_argument("--out")
    p.add_argument("--quick", action="store_true", help="one repetition, shorter streams, no peers")
    p.add_argument("--reps", type=int)
    p.add_argument("--node-red", help="directory that holds node_modules/node-red")
    p.add_argument("--python", help="interpreter that has what peers/python needs")
    p.add_argument("--decide-ns", type=float)
    p.add_argument("--decide-many-ns", type=float)
    p.add_argument("--decode-ns", type=float)
    p.add_argument("--only", default="", help="of sub,flood,latency,burst,scale,faults")
    p.add_argument("--table")
    a = p.parse_args()
    if a.table:
        return table(a.table)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that close() runs
    a.out, a.kit = os.path.abspath(a.out), os.path.abspath(a.kit)
    shutil.rmtree(a.out, ignore_errors=True)
    os.makedirs(a.out)
    os.environ["GLADHAND"] = os.path.abspath(a.gladhand)
    a.reps = a.reps or (1 if a.quick else 3)
    a.paced, a.flood, a.burst = (10_000, 60_000, 100_000) if a.quick else (10_000, 100_000, 1_000_000)
    who = {"gladhand": f"exec sh {HERE}/gladhand.sh", "raw": f"exec {a.kit} ref"}
    if not a.quick:
        if a.node_red:
            who["node-red"] = f"NODE_RED={a.node_red} exec bash {HERE}/peers/nodered/start.sh"
        if a.python:
            who["python"] = f"exec {a.python} {HERE}/peers/python/daemon.py"
    cpu = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), platform.machine())
    setup = dict(date=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()), load="%.2f" % os.getloadavg()[0], reps=a.reps, burst=a.burst,
                 machine=f"{os.cpu_count()} cores of {cpu}, Linux {platform.release()}", decode_ns=a.decode_ns,
                 decide_ns=a.decide_ns, decide_many_ns=a.decide_many_ns,
                 binary_mib=round(os.path.getsize(a.gladhand) / 2**20, 2))
    json.dump(setup, open(os.path.join(a.out, "setup.json"), "w"))
    wanted = lambda what: not a.only or what in a.only.split(",")
    jobs = []
    for rep in range(a.reps):
        order = list(who) if rep % 2 == 0 else list(who)[::-1]
        jobs += [("floor", "disk", "", rep, floor)] * wanted("latency")
        jobs += [("sub", "mosquitto_sub", "", rep, sub)] * wanted("sub")
        # The slow peers once.
        order = [w for w in order if rep == 0 or w in ("gladhand", "raw")]
        for what, run in (("flood", flood), ("latency", latency)):
            jobs += [(what, w, who[w], rep, run) for w in order if wanted(what)]
    jobs += [("burst", "gladhand", who["gladhand"], 0, burst)] * wanted("burst")
    jobs += [(f"scale-{units}", "gladhand", who["gladhand"], units, scale) for units in (200, 2_000, 20_000) if wanted("scale")]
    faults = [(name, "gladhand", who["gladhand"], 0, run) for name, run in FAULTS.items()
              if wanted("faults") and (not a.quick or name in ("crash", "lostanswer"))]
    with open(os.path.join(a.out, "results.jsonl"), "a") as log:
        def do(job):
            what, name, cmd, rep, run = job
            t = time.monotonic()
            try:
                r = run(a, name, cmd, rep)
            except Exception as e:
                r = dict(error=f"{type(e).__name__}: {e}")
            r.update(what=what, who=name, rep=rep)
            log.write(json.dumps(r) + "\n")
            log.flush()
            brief = {k: round(v, 3) if isinstance(v, float) else v for k, v in r.items() if not isinstance(v, list)}
            print(f"{time.monotonic() - t:5.0f} s {brief}", file=sys.stderr, flush=True)

        for job in jobs:
            do(job)
        # What is counted there is no time: they may run beside each other.
        with ThreadPoolExecutor(len(FAULTS)) as pool:
            list(pool.map(do, faults))
    table(a.out)


main()
