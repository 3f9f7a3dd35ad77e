//! gladhand

#![forbid(unsafe_code)]

fn main() {}
