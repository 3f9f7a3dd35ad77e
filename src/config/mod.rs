//! Configuration: structs, validation, loading.
