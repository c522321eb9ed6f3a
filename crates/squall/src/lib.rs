//! The half of squall that makes things happen. A module imports only modules listed above it.

pub mod exit;
pub mod secrets;
pub mod priority;
pub mod gate;
pub mod processes;
mod poll;
pub mod proxy;
pub mod toxiproxy;
pub mod store;
pub mod history;
pub mod guard;
pub mod control;
pub mod world;
pub mod survey;
pub mod client;
pub mod load;
pub mod probe;
pub mod run;
pub mod up;
pub mod cli;
