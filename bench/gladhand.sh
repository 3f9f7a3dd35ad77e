#!/bin/sh
# Starts gladhand on a configuration made from the environment of the side-by-side benchmark:
# MQTT_HOST, MQTT_PORT, MQTT_TOPIC, API_BASE, API_KEY, FLEET_FILE, STATE_DIR. The pairs come from FLEET_FILE.
# GLADHAND names the binary.
#
# Its pairs are apart from their first report on and come together again while the API is down, so: joined after a few
# seconds, apart for the benchmark's 60 s, no rig length, and no cancelling on rejoin. Its vendor lists a call within 1.5 s, so the
# asking what became of a lost answer ends after 6 s.
set -eu
dir="$STATE_DIR/config"
if [ ! -f "$dir/gladhand.toml" ]; then
    mkdir -p "$dir"
    python3 - "$FLEET_FILE" "$dir/roster.toml" <<'PY'
import json, sys
fleet = json.load(open(sys.argv[1]))
with open(sys.argv[2], "w") as roster:
    for n, pair in enumerate(fleet["pairs"]):
        q = json.dumps
        roster.write(f"""[[assignment]]
tractor = {q(pair["tractor"])}
trailer = {q(pair["trailer"])}
driver = {{ id = "D{n}", name = {q(pair["driver_name"])}, phone = {q(pair["driver_phone"])} }}
dispatcher = {{ name = {q(pair["dispatcher_name"])}, phone = {q(pair["transfer_to"])} }}
""")
PY
    cat > "$dir/gladhand.toml" <<TOML
[gateway]
id = "bench"
state_dir = "$STATE_DIR/state"
[mqtt]
host = "$MQTT_HOST"
port = $MQTT_PORT
[[telemetry]]
topic = "$MQTT_TOPIC"
[separation]
apart_for = "60s"
together_for = "3s"
rig_length_m = 0
[calls]
cancel_on_rejoin = false
max_concurrent = 100
verify_after = ["1s", "3s", "6s"]
rate_per_minute = 600
[elevenlabs]
base_url = "$API_BASE"
agent_id = "$(python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["agent_id"])' "$FLEET_FILE")"
agent_phone_number_id = "$(python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["agent_phone_number_id"])' "$FLEET_FILE")"
[api]
socket = "$STATE_DIR/gladhand.sock"
TOML
fi
# As systemd/gladhand.service has it.
export MALLOC_ARENA_MAX=1 MALLOC_TRIM_THRESHOLD_=131072 MALLOC_MMAP_THRESHOLD_=131072
ELEVENLABS_API_KEY="$API_KEY" exec "${GLADHAND:-gladhand}" run --config "$dir/gladhand.toml"
