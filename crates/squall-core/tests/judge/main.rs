//! Judging made-up journals: what is sound passes, what is planted is found by the right check.

mod again;
mod alarms;
mod attached;
mod behaviour;
mod bounds;
mod counters;
mod limits;
mod locks;
mod laws;

mod overlapping;
mod planted;
mod queue;
mod run;
mod shortages;
mod skew;
mod sound;
mod strikes;
