//! A stand-in for the vendor's API on loopback, for the demo, the tests and integrators.
