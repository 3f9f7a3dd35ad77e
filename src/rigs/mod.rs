//! Simulated rigs: seeded roads, receivers and trackers whose reports feed the demo, `simulate` and the scenario tests. Pure.
