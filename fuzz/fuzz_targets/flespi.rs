#![no_main]

mod shared;

use std::sync::LazyLock;

use gladhand::formats::Source;

static SOURCE: LazyLock<Source> = LazyLock::new(|| shared::source("format = \"flespi\""));

libfuzzer_sys::fuzz_target!(|input: &[u8]| shared::hear(&SOURCE, input));
