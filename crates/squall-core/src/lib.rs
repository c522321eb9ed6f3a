//! The pure half of squall. A module imports only modules listed above it.

pub mod place;
