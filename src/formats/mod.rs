//! Decoders: bytes of a device or platform to [`crate::core::telemetry::Report`]. Pure.
