//! gladhand
fn main() {}
