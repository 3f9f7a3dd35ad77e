//! The control socket: HTTP over a Unix socket. The only folder that knows axum.
