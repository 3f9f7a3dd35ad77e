//! The vendor. The only folder that knows reqwest.
