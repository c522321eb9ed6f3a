//! The pure half of squall: files, plans, events, checks and reports, without any I/O, clock or
//! ambient randomness. A module imports only modules listed above it.

pub mod time;
pub mod schedule;
pub mod amount;
pub mod trend;
pub mod diagnostic;
pub mod expr;
pub mod command;
pub mod document;
pub mod protocol;
pub mod place;
pub mod contract;
pub mod system;
pub mod script;
pub mod stop;
pub mod draft;
pub mod fault;
pub mod workload;
pub mod demand;
pub mod level;
pub mod scenario;
pub mod mechanism;
pub mod plan;
pub mod event;
pub mod journal;
pub mod proof;
pub mod clock;
pub mod gauge;
pub mod check;
pub mod advice;
pub mod sign;
pub mod judgement;
pub mod report;
pub mod compare;
