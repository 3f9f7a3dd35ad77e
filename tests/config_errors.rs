//! Whatever is wrong with a configuration or a roster, the error names file, line, key and what would be right.

use std::path::Path;

use gladhand::config::{self, ConfigError, roster};

/// All errors of a configuration whose first two lines are a valid `[gateway]`.
fn errors(rest: &str) -> Vec<String> {
    let text = format!("[gateway]\nid = \"yard-7\"\n{rest}");
    shown(config::parse(Path::new("/etc/gladhand/gladhand.toml"), &text).err())
}

fn shown(errors: Option<Vec<ConfigError>>) -> Vec<String> {
    errors.unwrap_or_default().iter().map(ToString::to_string).collect()
}

#[test]
fn a_broken_configuration_is_told_by_file_line_and_key() {
    for (rest, expected) in [
        (
            "[calls]\nmax_age = \"30 minutes\"",
            "4: calls.max_age: \"30 minutes\" is not a duration; write a whole number and a unit, like \"120s\", \"30m\" or \"2h\"",
        ),
        ("[calls]\nmax_age = 30", "4: calls.max_age: is of the wrong kind; write a duration like \"120s\", \"30m\" or \"2h\""),
        ("[calls]\nmax_agee = \"30m\"", "4: calls.max_agee: is not a known key; did you mean max_age?"),
        ("\n\n[cals]\nattempts = 1", "5: cals: is not a known key; did you mean calls?"),
        ("[log]\ncolour = true", "4: log.colour: is not a known key; known here: level"),
        ("[log]\nlevel = \"loud\"", "4: log.level: \"loud\" is not one of \"error\", \"warn\", \"info\", \"debug\", \"trace\""),
        (
            "[api]\nlisten = \"127.0.0.1:8467\"",
            "4: api.listen: needs api.token_file beside it: a TCP port answers only those who bring the token",
        ),
        (
            "[[calls.quiet_hours]]\nfrom = \"22:00\"\nto = \"25:00\"\ntime_zone = \"UTC\"",
            "3: calls.quiet_hours[0]: \"25:00\" is not a time of day; write it like \"22:00\"",
        ),
        ("[calls]\nattempts = 0", "4: calls.attempts: 0 is out of range; write 1 to 10"),
        ("[calls]\nattempts = -1", "4: calls.attempts: is of the wrong kind; write a whole number, not negative"),
        ("[calls]\nmax_concurrent = 101", "4: calls.max_concurrent: 101 is out of range; write 1 to 100"),
        (
            "[calls]\nverify_after = [\"10s\", \"2s\"]",
            "4: calls.verify_after: must have 1 to 16 durations, each longer than the one before, like [\"2s\", \"10s\", \"60s\"]",
        ),
        (
            "[calls]\nverify_after = []",
            "4: calls.verify_after: must have 1 to 16 durations, each longer than the one before, like [\"2s\", \"10s\", \"60s\"]",
        ),
        (
            "[calls]\nverify_after = [\"2s\", \"x\"]",
            "4: calls.verify_after: \"x\" is not a duration; write a whole number and a unit, like \"120s\", \"30m\" or \"2h\"",
        ),
        (
            "[calls]\ndefault_country = \"usa\"",
            "4: calls.default_country: \"usa\" is not a country code; write two capital letters, like \"US\"",
        ),
        ("[calls]\ndry_run = \"yes\"", "4: calls.dry_run: is of the wrong kind; write true or false"),
        ("[retry]\ninitial = \"2m\"", "4: retry.initial: 2m is longer than retry.max = 1m"),
        ("[mqtt]\nport = 70000", "4: mqtt.port: is of the wrong kind; write a whole number from 0 to 65535"),
        (
            "[mqtt]\nhost = \"mqtt://broker\"",
            "4: mqtt.host: \"mqtt://broker\" is not a host; write a name or address without scheme and port, like \"127.0.0.1\"",
        ),
        (
            "[mqtt]\nprefix = \"a/#\"",
            "4: mqtt.prefix: \"a/#\" is not an MQTT topic; write levels with / between them, without + and #",
        ),
        ("[mqtt]\npassword_file = \"/p\"", "4: mqtt.password_file: needs mqtt.username beside it"),
        (
            "[[telemetry]]\ntopic = \"a/#/b\"",
            "4: telemetry[0].topic: + and # stand for whole levels, and # only for the last ones, like \"fleet/+/telemetry\"",
        ),
        (
            "[[telemetry]]\ntopic = \"a\"\n[[telemetry]]\ntopic = \"a\"",
            "6: telemetry[1].topic: \"a\" is read by an earlier [[telemetry]] already; the first one counts, remove one",
        ),
        ("[[telemetry]]\nformat = \"traccar\"", "3: telemetry[0].topic: is missing, and has no default"),
        (
            "[[telemetry]]\ntopic = \"a\"\nunit = \"level 1\"",
            "5: telemetry[0].unit: unit must be like \"topic[1]\" (levels count from 0) or \"topic[-1]\" (the last level)",
        ),
        (
            "[[telemetry]]\ntopic = \"a\"\nformat = \"fields\"\nfields = { unit = \"/u\", ts = \"/t\", time_unit = \"s\", lat = \"lat\", lon = \"/lon\" }",
            "3: telemetry[0]: fields.lat is not a JSON pointer like \"/location/latitude\"",
        ),
        (
            "[separation]\napart_m = 70",
            "3: separation.together_m: 75 m is not less than separation.apart_m = 70 m; between the two nothing changes",
        ),
        ("[separation]\napart_m = inf", "4: separation.apart_m: inf is out of range; write 10 to 10000"),
        (
            "[separation]\nalarm_age = \"1m\"",
            "3: separation.apart_for: 2m is not less than separation.alarm_age = 1m: nothing would ever alarm",
        ),
        (
            "[[zone]]\nname = \"Yard\"\ncenter = [27.5, -99.4]",
            "3: zone[0]: zone \"Yard\" needs either center and radius_m, or polygon",
        ),
        (
            "[elevenlabs]\nbase_url = \"http://api.elevenlabs.io\"",
            "4: elevenlabs.base_url: must be https://, or http:// to this machine (127.0.0.1, [::1], localhost), with a host and without user, query or fragment, like \"https://api.elevenlabs.io\"",
        ),
        (
            "[elevenlabs]\napi_key = \"sk_secret\"",
            "4: elevenlabs.api_key: is not a known key; known here: base_url, agent_id, agent_phone_number_id, route, timeout, requests_per_second, api_key_file, ca_file",
        ),
        ("[elevenlabs]\nroute = \"sip\"", "4: elevenlabs.route: \"sip\" is not one of \"twilio\", \"sip-trunk\""),
        ("[health]\ninterval = \"0s\"", "4: health.interval: 0s is out of range; write 1s to 1d"),
        ("[api]\nsocket = \"gladhand.sock\"", "4: api.socket: \"gladhand.sock\" is not an absolute path; begin it with /"),
        ("[log]\nlevel = \"info", "4: is not valid TOML: invalid basic string, expected `\"`"),
        ("[log]\n[log]\n", "4: is not valid TOML: duplicate key"),
        ("mqtt = 5", "3: gateway.mqtt: is not a known key; known here: id, state_dir"),
    ] {
        assert_eq!(errors(rest), [format!("/etc/gladhand/gladhand.toml:{expected}")], "{rest}");
    }
}

#[test]
fn all_that_is_out_of_range_is_told_at_once_in_the_order_of_the_file() {
    let errors = errors("[calls]\nattempts = 0\n[api]\nsocket = \"s\"\n[mqtt]\nport = 0\n");
    let keys: Vec<_> = errors.iter().map(|e| e.split(':').take(3).collect::<Vec<_>>().join(":")).collect();
    let file = "/etc/gladhand/gladhand.toml";
    assert_eq!(keys, [format!("{file}:4: calls.attempts"), format!("{file}:6: api.socket"), format!("{file}:8: mqtt.port")]);
}

#[test]
fn the_gateway_must_have_a_name() {
    let parse = |text: &str| shown(config::parse(Path::new("g.toml"), text).err());
    let required = "gateway.id: is required; name this gateway, like id = \"yard-7\" under [gateway]";
    assert_eq!(parse(""), [format!("g.toml: {required}")]);
    assert_eq!(parse("\n[gateway]"), [format!("g.toml:2: {required}")]);
    assert_eq!(
        parse("[gateway]\nid = \"yard 7\""),
        ["g.toml:2: gateway.id: \"yard 7\" does not fit into topics and call ids; write 1 to 48 letters A-Z a-z, digits, - or _"]
    );
}

#[test]
fn an_empty_agent_id_is_not_malformed() {
    assert!(
        errors("[elevenlabs]\nagent_id = \"\"\nagent_phone_number_id = \"\"\n[dispatcher]\nname = \"\"\nphone = \"\"").is_empty()
    );
}

#[test]
fn a_telephone_number_is_never_repeated() {
    for (rest, expected) in [
        ("[dispatcher]\nphone = \"923282828885\"", "4: dispatcher.phone: the phone number has no + and is not a 10-digit number"),
        ("[dispatcher]\nphone = 12125550123", "4: dispatcher.phone: is of the wrong kind; write a text in quotes"),
        ("dispatcher = \"+12125550123\"", "3: gateway.dispatcher: is not a known key; known here: id, state_dir"),
        (
            "[calls]\ndefault_country = \"DE\"\n[dispatcher]\nphone = \"2125550123\"",
            "6: dispatcher.phone: the phone number has no + and calls.default_country is \"DE\"; write it with + and country code",
        ),
    ] {
        let errors = errors(rest);
        assert!(errors[0].starts_with(&format!("/etc/gladhand/gladhand.toml:{expected}")), "{errors:?}");
        assert!(!errors[0].contains("5550123") && !errors[0].contains("282828"), "{errors:?}");
    }
}

#[test]
fn a_broken_roster_is_told_by_file_line_and_key() {
    let one = "[[assignment]]\ntractor = \"T-1\"\ntrailer = \"R-1\"\n";
    for (text, country, expected) in [
        (
            format!("{one}{one}"),
            "US",
            "5: assignment[1].tractor: \"T-1\" has an earlier [[assignment]] already; list all its trailers in that one",
        ),
        (
            format!("{one}[[assignment]]\ntractor = \"T-2\"\ntrailers = [\"R-2\", \"R-1\"]\n"),
            "US",
            "6: assignment[1].trailers: \"R-1\" is assigned to \"T-1\" already; one tractor pulls a trailer at a time",
        ),
        (
            format!("{one}driver = {{ id = \"D\", phone = \"555\" }}\n"),
            "US",
            "4: assignment[0].driver.phone: the phone number has no + and is not a 10-digit number of the default country US; write it with + and country code",
        ),
        (
            format!("{one}driver = {{ id = \"D\", phone = \"2125550123\" }}\n"),
            "DE",
            "4: assignment[0].driver.phone: the phone number has no + and calls.default_country is \"DE\"; write it with + and country code",
        ),
        (format!("{one}driver = {{ id = \"D\" }}\n"), "US", "4: assignment[0].driver.phone: is missing, and has no default"),
        (
            format!("{one}truck = \"T\"\n"),
            "US",
            "4: assignment[0].truck: is not a known key; known here: tractor, trailer, trailers, driver, dispatcher, since",
        ),
        (
            "[[assignment]]\ntractor = \"T/1\"\n".to_owned(),
            "US",
            "2: assignment[0].tractor: the identifier contains a control character or one of / + #",
        ),
        (
            "[[assignment]]\ntractor = \"T\"\ntrailer = \"T\"\n".to_owned(),
            "US",
            "1: assignment[0]: assignment of T: a tractor is not its own trailer",
        ),
        (
            "[[trailer]]\nid = \"R\"\n[[trailer]]\nid = \"R\"\n".to_owned(),
            "US",
            "4: trailer[1].id: \"R\" has an earlier [[trailer]] already; keep one",
        ),
        (
            "[[trailer]]\nid = \"R\"\ninterval = \"0s\"\n".to_owned(),
            "US",
            "3: trailer[0].interval: 0s is not an interval; write it like \"300s\"",
        ),
    ] {
        let errors = shown(roster::parse(Path::new("roster.toml"), &text, country).err());
        assert_eq!(errors, [format!("roster.toml:{expected}")], "{text}");
    }
}

#[test]
fn a_missing_configuration_is_an_error_and_a_missing_roster_is_empty() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("gladhand.toml");
    let errors = shown(config::load(&file).err());
    assert!(errors[0].starts_with(&format!("{}: cannot be read: No such file", file.display())), "{errors:?}");
    assert_eq!(roster::load(&config::Config::roster_path(&file), "US"), Ok(roster::Roster::default()));
    std::fs::write(&file, b"[gateway]\nid = \"\xff\"\n").unwrap();
    assert_eq!(shown(config::load(&file).err()), [format!("{}:2: is not UTF-8 text", file.display())]);
}
