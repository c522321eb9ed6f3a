//! Figures of a run that checks bound and reports show, counted once for both.

mod ack;
mod bottleneck;
mod database;
mod flooded;
mod lines;
mod part;

pub use ack::{AckGap, ack_gap};
pub use bottleneck::{Bottleneck, bottleneck, neighbours};
pub use database::{DatabaseTime, database_time};
pub use flooded::Flooded;
pub use lines::{Lines, lines, strike_windows};
pub use part::{Part, Spell, spells};
