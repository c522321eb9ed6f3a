//! The service as a whole: real processes, a real PostgreSQL, and faults.
//!
//! Nothing here sleeps to let things happen: every wait is for a condition,
//! with a bound.

#![expect(clippy::unwrap_used, reason = "a test that can't go on should say where")]

mod api;
mod batches;
mod client;
mod cluster;
mod faults;
mod process;
mod wakeup;
mod witness;
