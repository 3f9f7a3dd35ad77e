#![no_main]

mod shared;

use std::sync::LazyLock;

use gladhand::formats::Source;

static SOURCE: LazyLock<Source> = LazyLock::new(|| {
    shared::source(
        r#"format = "fields"
        preset = "thin-edge"
        fields = { unit = "/id", speed = "/v", heading = "/pos/2", hdop = "/h", accuracy = "/a", valid = "/ok", moving = "/m",
            speed_unit = "mph" }"#,
    )
});

libfuzzer_sys::fuzz_target!(|input: &[u8]| shared::hear(&SOURCE, input));
