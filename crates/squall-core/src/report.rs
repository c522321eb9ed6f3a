//! Reports: what a reader gets, from journals alone.
//!
//! [`report`] puts every figure together; each format is one file with a `render` and decides nothing.

pub mod html;
pub mod json;
pub mod junit;
pub mod markdown;
mod measure;
mod parts;
mod sentence;
mod summary;
pub mod terminal;
mod touch;
mod words;

pub use measure::{Counts, Latency, LogCounts, StartUp, Use};
pub use parts::PartFigures;
pub use summary::{Fault, LeftOut, Report, Run, Scenario, report, report_of};
