//! What a broker may send: whatever it is, nothing but the connection ends.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    // Of two bytes at least is a packet, and a SUBACK or DISCONNECT makes one more event.
    assert!(gladhand::mqtt::events_of(input) <= 4 + input.len());
});
