"""One run of a system: its broker, the vendor's API, its directory, and what /proc says of it."""
import csv, json, os, shutil, signal, socket, subprocess, time

HZ = os.sysconf("SC_CLK_TCK")


def free_port():
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    p = s.getsockname()[1]
    s.close()
    return p


def session_pids(sid):
    out = []
    for d in os.listdir("/proc"):
        if d.isdigit():
            try:
                f = open(f"/proc/{d}/stat").read().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(f[3]) == sid and f[0] != "Z":
                out.append(int(d))
    return out


def cpu_s(pids):
    t = 0
    for p in pids:
        try:
            f = open(f"/proc/{p}/stat").read().rsplit(")", 1)[1].split()
            t += int(f[11]) + int(f[12]) + int(f[13]) + int(f[14])
        except OSError:
            pass
    return t / HZ


def rss_mib(pids, key="VmRSS"):
    t = 0
    for p in pids:
        try:
            for l in open(f"/proc/{p}/status"):
                if l.startswith(key + ":"):
                    t += int(l.split()[1])
        except OSError:
            pass
    return round(t / 1024, 1)


def written(pids):
    return sum(int(l.split()[1]) for p in pids for l in open(f"/proc/{p}/io") if l.startswith("write_bytes"))


def wakes(pids):
    """How often any of their threads went to sleep."""
    t = 0
    for p in pids:
        for task in os.listdir(f"/proc/{p}/task"):
            try:
                t += sum(int(l.split()[1]) for l in open(f"/proc/{p}/task/{task}/status") if l.startswith("voluntary_ctxt_switches"))
            except OSError:
                pass
    return t


class Rig:
    """One run: a fresh broker, a fresh stub, a fresh state directory, one system under test."""

    def __init__(self, a, name, cmd, scenario, rep, gen, qos, stub_args=()):
        # Event times that end now: gladhand holds event time against receive time.
        units = 2 * int(gen[gen.index("--pairs") + 1]) if "--pairs" in gen else 200
        gen = [*gen, "--ts0", f"{time.time() - int(gen[1]) / units * float(gen[3]) - 5:.2f}"]
        self.a, self.name, self.cmd, self.gen, self.qos = a, name, cmd, gen, qos
        self.dir = os.path.join(a.out, f"{scenario}-{rep}-{name}")
        shutil.rmtree(self.dir, ignore_errors=True)
        os.makedirs(self.dir + "/state")
        self.bin = a.kit
        subprocess.run([self.bin, "gen", *gen, "--out", self.dir], check=True, stdout=subprocess.DEVNULL)
        self.expect = list(csv.DictReader(open(self.dir + "/expect.csv")))
        self.mport, self.hport = free_port(), free_port()
        with open(self.dir + "/mosquitto.conf", "w") as f:
            f.write(f"""listener {self.mport} 127.0.0.1
allow_anonymous true
persistence false
set_tcp_nodelay true
max_inflight_messages 2000
max_queued_messages 0
max_queued_bytes 0
sys_interval 1
log_dest file {self.dir}/broker.log
log_type error
log_type warning
log_type notice
log_type subscribe
user root
""")
        self.sut = None
        self.starts = 0
        self.broker = subprocess.Popen(["mosquitto", "-c", self.dir + "/mosquitto.conf"],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.stub = subprocess.Popen([self.bin, "stub", "--port", str(self.hport), "--log", self.dir + "/stub.tsv",
                                      *stub_args], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.stub.stdout.readline().strip() == "ready"
        self.ears = []
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.mport)).close()
                break
            except OSError:
                time.sleep(0.02)

    def listen(self):
        """Writes down what is announced of violations and calls."""
        for what in ("violations", "calls"):
            out = open(f"{self.dir}/{what}.jsonl", "wb")
            self.ears.append(subprocess.Popen(["mosquitto_sub", "-p", str(self.mport), "-q", "1", "-t", f"gladhand/{what}/+"],
                                              stdout=out, stderr=subprocess.DEVNULL))

    def ask(self, path):
        """On gladhand's control socket."""
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(30)
        s.connect(self.dir + "/state/gladhand.sock")
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: s.recv(1 << 16), b""))
        s.close()
        return json.loads(answer.split(b"\r\n\r\n", 1)[1])

    def until(self, holds, patience):
        end = time.monotonic() + patience
        while time.monotonic() < end:
            try:
                if holds(self.ask("/health")):
                    return time.monotonic()
            except OSError:
                pass
            time.sleep(0.1)
        raise RuntimeError(f"waited in vain, see {self.dir}")

    def stub_do(self, line):
        self.stub.stdin.write(line + "\n")
        self.stub.stdin.flush()
        assert self.stub.stdout.readline().startswith("done")

    def subscriptions(self):
        try:
            return sum(1 for l in open(self.dir + "/broker.log") if " fleet/" in l)
        except OSError:
            return 0

    def start_sut(self, timeout=60):
        env = dict(os.environ, MQTT_HOST="127.0.0.1", MQTT_PORT=str(self.mport), MQTT_QOS=str(self.qos),
                   MQTT_TOPIC="fleet/+/telemetry", MQTT_CLIENT_ID="sut-0001",
                   API_BASE=f"http://127.0.0.1:{self.hport}", API_KEY="bench-key",
                   FLEET_FILE=self.dir + "/fleet.json", STATE_DIR=self.dir + "/state",
                   SUT_HTTP_PORT=str(free_port()))
        before, self.starts = self.subscriptions(), self.starts + 1
        t = time.monotonic()
        log = open(self.dir + "/sut.log", "ab")
        self.sut = subprocess.Popen(["bash", "-c", self.cmd], env=env, stdout=log, stderr=log, cwd=self.dir,
                                    stdin=subprocess.DEVNULL, start_new_session=True)
        while self.subscriptions() <= before:
            if self.sut.poll() is not None or time.monotonic() - t > timeout:
                raise RuntimeError(f"{self.name}: no subscription (exit {self.sut.poll()}), see {self.dir}/sut.log")
            time.sleep(0.002)
        return time.monotonic() - t

    def sut_pids(self):
        return session_pids(self.sut.pid)

    def kill_sut(self):
        for p in self.sut_pids():
            try:
                os.kill(p, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.sut.wait()

    def publish(self, rate=0.0, wait=True):
        cmd = [self.bin, "pub", *self.gen, "--port", str(self.mport), "--qos", str(self.qos), "--rate", str(rate),
               "--window", "1000", "--marks", self.dir + "/marks.csv", "--progress", self.dir + "/progress"]
        self.pub = subprocess.Popen(cmd, stdout=subprocess.PIPE, text=True)
        if wait:
            return self.pub_done()

    def pub_done(self):
        return json.loads(self.pub.communicate()[0])

    def progress(self):
        try:
            return int(open(self.dir + "/progress").read() or 0)
        except (OSError, ValueError):
            return 0

    def posts(self):
        out = []
        try:
            for l in open(self.dir + "/stub.tsv"):
                f = l.rstrip("\n").split("\t")
                if len(f) < 8 or f[4] != "POST":
                    continue
                try:
                    b = json.loads(f[7])
                except ValueError:
                    b = {}
                out.append(dict(t=int(f[0]), conn=int(f[2]), status=int(f[3]), path=f[5], key=f[6] == "1", body=b))
        except OSError:
            pass
        return out

    def wait_calls(self, n, timeout, quiet=1.5):
        """Until n different drivers were called and then `quiet` seconds without a new POST, or timeout."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            p = [x for x in self.posts() if x["status"] == 200]
            if len({x["body"].get("to_number") for x in p}) >= n and time.monotonic_ns() - p[-1]["t"] > quiet * 1e9:
                break
            time.sleep(0.05)

    def sys_topic(self, topic):
        try:
            r = subprocess.run(["mosquitto_sub", "-p", str(self.mport), "-t", topic, "-C", "1", "-W", "3"],
                               capture_output=True, text=True, timeout=5)
            return int(float(r.stdout.strip() or 0))
        except Exception:
            return None

    def score(self):
        """status 200 = the call was placed; 0 = placed too, but the answer was lost; others = refused."""
        placed, bad = {}, 0
        sids = {}
        for p in self.posts():
            if p["status"] not in (200, 0):
                continue
            b = p["body"]
            dv = (b.get("conversation_initiation_client_data") or {}).get("dynamic_variables") or {}
            ok = (p["path"] == "/v1/convai/twilio/outbound-call" and p["key"] and b.get("agent_id") == "agent_bench_0001"
                  and b.get("agent_phone_number_id") == "phnum_bench_0001"
                  and all(isinstance(dv.get(k), str) and dv[k] for k in ("prompt", "transfer_to", "call_sid", "dispatcher_name")))
            bad += not ok
            placed.setdefault(b.get("to_number"), []).append(p["t"])
            sids.setdefault(b.get("to_number"), set()).add(dv.get("call_sid"))
        want = {e["phone"] for e in self.expect}
        dup = {k: len(v) - 1 for k, v in placed.items() if len(v) > 1 and k in want}
        return dict(expected=len(want), lost=len(want - set(placed)), duplicated=sum(dup.values()),
                    dup_same_call_sid=sum(n for k, n in dup.items() if len(sids[k]) == 1),
                    false=sum(len(v) for k, v in placed.items() if k not in want), bad_body=bad)

    def latencies_ms(self):
        """From the publish of the message that decided to the POST at the stub. Who names the message that its own rule decided
        on (`decided_by` of the violation) is measured from that one, all others from the message of the reference rule."""
        marks = [l.rstrip("\n").split(",") for l in open(self.dir + "/marks.csv")]
        sent = {(unit, round(float(ts) * 1000)): int(t) for unit, ts, t in marks}
        own = {}
        for l in open(self.dir + "/violations.jsonl"):
            v = json.loads(l)
            if v["event"] == "opened":
                own.setdefault(v["tractor"], (v["decided_by"]["unit"], round(v["decided_by"]["ts"] * 1000)))
        tractor = {p["driver_phone"]: p["tractor"] for p in json.load(open(self.dir + "/fleet.json"))["pairs"]}
        first = {}
        for p in self.posts():
            first.setdefault(p["body"].get("to_number"), p["t"])
        out = []
        for e in self.expect:
            by = own.get(tractor[e["phone"]]) if self.name == "gladhand" else None
            if self.name == "gladhand" and by is None:
                continue
            since = sent[by] if by else int(marks[int(e["decide_index"])][2])
            if e["phone"] in first:
                out.append((first[e["phone"]] - since) / 1e6)
        return out

    def close(self):
        if self.sut and self.sut.poll() is None:
            self.kill_sut()
        for p in (*self.ears, getattr(self, "pub", None), self.broker, self.stub):
            if p is None or p.poll() is not None:
                continue
            p.terminate()
            p.wait()
