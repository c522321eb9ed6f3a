//! All faults, with what is said of each.

use super::{
    clock_skew, connections_taken, corrupt, cpu_load, crash_loop, cut, damage, delay, disk_full, disk_slow, fds_taken,
    freeze, intercept, kill, memory_load, partition, power_loss, scale, script, silence, slice, slow_close, stall,
    start_failure, throttle, truncate,
};

/// What `squall list faults` says of each: its word in a scenario, what it does, how its effect is proven.
pub const CATALOGUE: &[(&str, &str, &str)] = &[
    ("kill", kill::KILL, kill::PROOF),
    ("terminate", kill::TERMINATE, kill::PROOF),
    ("stop", kill::STOP, kill::PROOF),
    ("crash_loop", crash_loop::DOES, crash_loop::PROOF),
    ("start_failure", start_failure::DOES, start_failure::PROOF),
    ("power_loss", power_loss::DOES, power_loss::PROOF),
    ("freeze", freeze::DOES, freeze::PROOF),
    ("cut", cut::DOES, cut::PROOF),
    ("delay", delay::DOES, delay::PROOF),
    ("throttle", throttle::DOES, throttle::PROOF),
    ("stall", stall::DOES, stall::PROOF),
    ("corrupt", corrupt::DOES, corrupt::PROOF),
    ("slice", slice::DOES, slice::PROOF),
    ("slow_close", slow_close::DOES, slow_close::PROOF),
    ("truncate", truncate::DOES, truncate::PROOF),
    ("silence", silence::DOES, silence::PROOF),
    ("intercept", intercept::DOES, intercept::PROOF),
    ("cpu_load", cpu_load::DOES, cpu_load::PROOF),
    ("memory_load", memory_load::DOES, memory_load::PROOF),
    ("fds_taken", fds_taken::DOES, fds_taken::PROOF),
    ("disk_full", disk_full::DOES, disk_full::PROOF),
    ("disk_slow", disk_slow::DOES, disk_slow::PROOF),
    ("damage", damage::DOES, damage::PROOF),
    ("clock_skew", clock_skew::DOES, clock_skew::PROOF),
    ("connections_taken", connections_taken::DOES, connections_taken::PROOF),
    ("partition", partition::DOES, partition::PROOF),
    ("scale", scale::DOES, scale::PROOF),
    ("script", script::DOES, script::PROOF),
];
