//! Decoding a report in gladhand's own format touches no heap, nor does finding its decoder.
#![allow(unsafe_code, clippy::expect_used)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use gladhand::formats::{Decoded, Router, Source};

#[test]
fn decode_allocates_nothing() {
    let sources = [
        "topic = \"owntracks/+/+\"\nformat = \"owntracks\"",
        "topic = \"fleet/+/telemetry\"\nformat = \"gladhand\"",
        "topic = \"#\"\nformat = \"gladhand\"\nunit = \"topic[1]\"",
    ];
    let router: Router = sources.iter().map(|toml| toml::from_str::<Source>(toml).expect("a source")).collect();
    for (topic, payload) in [
        (
            "fleet/T-001/telemetry",
            r#"{"unit":"T-001","ts":1763569135.25,"lat":27.53,"lon":-99.48,"speed_mps":15.2,"heading_deg":112.1,"hdop":0.9,"accuracy_m":5,"valid":true,"moving":true,"coupling":{"state":"hooked","tractor":"T-001"}}"#,
        ),
        (
            "fleet/T-001/telemetry",
            r#" { "ts" : 1763569135 , "fw" : "2.1" , "tanks" : [1, 2] , "unit" : "T-001" , "lat" : 1e1 , "lon" : 2 } "#,
        ),
        ("other/T-002", r#"{"ts":1763569135,"lat":27.53,"lon":-99.48}"#),
        ("fleet/R-001/telemetry", r#"{"unit":"R-001","ts":1763569135,"coupling":{"state":"unhooked"}}"#),
    ] {
        let before = ALLOCATIONS.get();
        let decoder = router.route(topic).expect("a decoder");
        let decoded = decoder.decode(topic, payload.as_bytes(), &mut |report| {
            std::hint::black_box(report);
        });
        let allocations = ALLOCATIONS.get() - before;
        assert_eq!((decoded, allocations), (Ok(Decoded::Reports(1)), 0), "{payload}");
    }
    // The counter counts.
    let before = ALLOCATIONS.get();
    drop(std::hint::black_box(Box::new(5)));
    assert_eq!(ALLOCATIONS.get() - before, 1);
}

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static GLOBAL: Counting = Counting;

// SAFETY: every call goes to the system's allocator unchanged; the counter is a thread-local without destructor and without
// lazy initialisation, so that counting neither allocates nor fails.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        unsafe { System.realloc(pointer, layout, size) }
    }
}
