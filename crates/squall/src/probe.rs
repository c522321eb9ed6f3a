//! Probes: what looks at the system while it works and while it breaks. Each gives facts.

mod alarm;
mod breaker;
mod pulse;
mod question;
mod usage;
mod witness;

pub use alarm::alarms;
pub use breaker::breakers;
pub use pulse::pulses;
pub use usage::usages;
pub use witness::{Live, Running, Visit, Witness};
