//! The durable store. The only folder that knows sled.
