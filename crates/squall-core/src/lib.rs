//! The pure half of squall: files, plans, events, checks and reports, without any I/O, clock or
//! ambient randomness. A module imports only modules listed above it.

pub mod amount;
pub mod check;
pub mod clock;
pub mod contract;
pub mod demand;
pub mod diagnostic;
pub mod document;
pub mod event;
pub mod expr;
pub mod fault;
pub mod journal;
pub mod judgement;
pub mod level;
pub mod place;
pub mod plan;
pub mod proof;
pub mod report;
pub mod scenario;
pub mod system;
pub mod time;
pub mod workload;
