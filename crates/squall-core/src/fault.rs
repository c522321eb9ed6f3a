//! Faults: what a scenario may break. Each compiles to a condition while planning and never touches a system.
//!
//! To add one: a file beside `fault/kill.rs`, a `mod` line, a variant of [`Fault`] and a row in `fault/catalogue.rs`.

mod catalogue;
mod clock_skew;
mod connections_taken;
mod corrupt;
mod cpu_load;
mod crash_loop;
mod cut;
mod damage;
mod delay;
mod disk_full;
mod disk_slow;
mod fds_taken;
mod freeze;
mod intercept;
mod kill;
mod memory_load;
mod partition;
mod power_loss;
mod scale;
mod script;
mod silence;
mod slice;
mod slow_close;
mod stall;
mod start_failure;
mod throttle;
mod timing;
mod truncate;

pub use catalogue::CATALOGUE;
pub use clock_skew::ClockSkew;
pub use connections_taken::ConnectionsTaken;
pub use corrupt::CorruptLink;
pub use cpu_load::CpuLoad;
pub use crash_loop::CrashLoop;
pub use cut::CutLink;
pub use damage::DamageFiles;
pub use delay::DelayLink;
pub use disk_full::DiskFull;
pub use disk_slow::DiskSlow;
pub use fds_taken::FdsTaken;
pub use freeze::Freeze;
pub use intercept::{InterceptLink, Then};
pub use kill::{Kill, Stop, Terminate};
pub use memory_load::MemoryLoad;
pub use partition::{Crossing, Direction, Partition, Split};
pub use power_loss::PowerLoss;
pub use scale::Scale;
pub use script::RunScript;
pub use silence::SilenceLink;
pub use slice::SliceLink;
pub use slow_close::SlowClose;
pub use stall::StallLink;
pub use start_failure::StartFailure;
pub use throttle::ThrottleLink;
pub(crate) use timing::fault;
pub use timing::{Aim, Timing};
pub use truncate::TruncateLink;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::amount::{Dur, Percent};
use crate::place::{Condition, Impair, Impairment, Share, Way};

/// What a storm does, once or again and again.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// SIGKILL to every process of one copy.
    Kill(Kill),
    /// SIGTERM to one copy, so that it may finish.
    Terminate(Terminate),
    /// The service's own fast stop.
    Stop(Stop),
    /// Kills one copy again and again.
    CrashLoop(CrashLoop),
    /// Kills one copy and lets its next starts fail.
    StartFailure(StartFailure),
    /// Ends one copy together with all that it had not synced to its disk.
    PowerLoss(PowerLoss),
    /// SIGSTOP to every process of one copy, SIGCONT afterwards.
    Freeze(Freeze),
    /// Cuts a link: refused, black-holed, half open or reset.
    Cut(CutLink),
    /// Slows a link.
    Delay(DelayLink),
    /// Makes a link narrow.
    Throttle(ThrottleLink),
    /// Makes a link stand still now and then, as lost packets do.
    Stall(StallLink),
    /// Changes bytes on a link.
    Corrupt(CorruptLink),
    /// Cuts what passes a link into small pieces.
    Slice(SliceLink),
    /// Holds the end of streams back.
    SlowClose(SlowClose),
    /// Closes connections after so many bytes.
    Truncate(TruncateLink),
    /// Lets bytes vanish, one way or both.
    Silence(SilenceLink),
    /// Does something with requests picked out by what they say.
    Intercept(InterceptLink),
    /// Takes processor time away from one copy.
    CpuLoad(CpuLoad),
    /// Leaves one copy little more memory than it has.
    MemoryLoad(MemoryLoad),
    /// Leaves one copy few descriptors more than it has, or none.
    FdsTaken(FdsTaken),
    /// Fills the disk of one copy.
    DiskFull(DiskFull),
    /// A disk that takes longer.
    DiskSlow(DiskSlow),
    /// Changes what one copy has on disk.
    Damage(DamageFiles),
    /// Lets one copy see a wrong wall clock.
    ClockSkew(ClockSkew),
    /// Takes all connections a database allows.
    ConnectionsTaken(ConnectionsTaken),
    /// Cuts every link between two sides.
    Partition(Partition),
    /// Changes how many copies of a service run.
    Scale(Scale),
    /// Runs a command of one's own.
    Script(RunScript),
}

/// What of a fault makes no sense: below which of its keys, what is wrong, what to do.
pub type Objection = (&'static str, &'static str, &'static str);

/// What a fault is aimed at.
#[derive(Debug, Clone)]
pub enum Target<'a> {
    /// A copy of this service.
    Service(&'a str),
    /// The connections of a copy of the first service to the second.
    Link(&'a str, &'a str),
    /// All links that cross it.
    Across(&'a Partition),
}

/// What hinders the bytes that go `way`, on a share of connections; on all when absent.
fn impaired(what: Impair, way: Way, share: Option<Percent>) -> Condition {
    let share = share.map_or(Share::ALL, |share| Share::of(share.fraction()));
    Condition::Impaired(Impairment { what, way, share })
}

impl Fault {
    /// Its word in a scenario.
    pub fn word(&self) -> &'static str {
        match self {
            Fault::Kill(_) => "kill",
            Fault::Terminate(_) => "terminate",
            Fault::Stop(_) => "stop",
            Fault::CrashLoop(_) => "crash_loop",
            Fault::StartFailure(_) => "start_failure",
            Fault::PowerLoss(_) => "power_loss",
            Fault::Freeze(_) => "freeze",
            Fault::Cut(_) => "cut",
            Fault::Delay(_) => "delay",
            Fault::Throttle(_) => "throttle",
            Fault::Stall(_) => "stall",
            Fault::Corrupt(_) => "corrupt",
            Fault::Slice(_) => "slice",
            Fault::SlowClose(_) => "slow_close",
            Fault::Truncate(_) => "truncate",
            Fault::Silence(_) => "silence",
            Fault::Intercept(_) => "intercept",
            Fault::CpuLoad(_) => "cpu_load",
            Fault::MemoryLoad(_) => "memory_load",
            Fault::FdsTaken(_) => "fds_taken",
            Fault::DiskFull(_) => "disk_full",
            Fault::DiskSlow(_) => "disk_slow",
            Fault::Damage(_) => "damage",
            Fault::ClockSkew(_) => "clock_skew",
            Fault::ConnectionsTaken(_) => "connections_taken",
            Fault::Partition(_) => "partition",
            Fault::Scale(_) => "scale",
            Fault::Script(_) => "script",
        }
    }

    /// When it strikes.
    pub fn timing(&self) -> Timing {
        match self {
            Fault::Kill(fault) => fault.timing(),
            Fault::Terminate(fault) => fault.timing(),
            Fault::Stop(fault) => fault.timing(),
            Fault::CrashLoop(fault) => fault.timing(),
            Fault::StartFailure(fault) => fault.timing(),
            Fault::PowerLoss(fault) => fault.timing(),
            Fault::Freeze(fault) => fault.timing(),
            Fault::Cut(fault) => fault.timing(),
            Fault::Delay(fault) => fault.timing(),
            Fault::Throttle(fault) => fault.timing(),
            Fault::Stall(fault) => fault.timing(),
            Fault::Corrupt(fault) => fault.timing(),
            Fault::Slice(fault) => fault.timing(),
            Fault::SlowClose(fault) => fault.timing(),
            Fault::Truncate(fault) => fault.timing(),
            Fault::Silence(fault) => fault.timing(),
            Fault::Intercept(fault) => fault.timing(),
            Fault::CpuLoad(fault) => fault.timing(),
            Fault::MemoryLoad(fault) => fault.timing(),
            Fault::FdsTaken(fault) => fault.timing(),
            Fault::DiskFull(fault) => fault.timing(),
            Fault::DiskSlow(fault) => fault.timing(),
            Fault::Damage(fault) => fault.timing(),
            Fault::ClockSkew(fault) => fault.timing(),
            Fault::ConnectionsTaken(fault) => fault.timing(),
            Fault::Partition(fault) => fault.timing(),
            Fault::Scale(fault) => fault.timing(),
            Fault::Script(fault) => fault.timing(),
        }
    }

    /// What it is aimed at; `None` for a command, which squall aims at nothing.
    pub fn target(&self) -> Option<Target<'_>> {
        Some(match self {
            Fault::Kill(fault) => Target::Service(&fault.on),
            Fault::Terminate(fault) => Target::Service(&fault.on),
            Fault::Stop(fault) => Target::Service(&fault.on),
            Fault::CrashLoop(fault) => Target::Service(&fault.on),
            Fault::StartFailure(fault) => Target::Service(&fault.on),
            Fault::PowerLoss(fault) => Target::Service(&fault.on),
            Fault::Freeze(fault) => Target::Service(&fault.on),
            Fault::Cut(fault) => Target::Link(&fault.from, &fault.to),
            Fault::Delay(fault) => Target::Link(&fault.from, &fault.to),
            Fault::Throttle(fault) => Target::Link(&fault.from, &fault.to),
            Fault::Stall(fault) => Target::Link(&fault.from, &fault.to),
            Fault::Corrupt(fault) => Target::Link(&fault.from, &fault.to),
            Fault::Slice(fault) => Target::Link(&fault.from, &fault.to),
            Fault::SlowClose(fault) => Target::Link(&fault.from, &fault.to),
            Fault::Truncate(fault) => Target::Link(&fault.from, &fault.to),
            Fault::Silence(fault) => Target::Link(&fault.from, &fault.to),
            Fault::Intercept(fault) => Target::Link(&fault.from, &fault.to),
            Fault::CpuLoad(fault) => Target::Service(&fault.on),
            Fault::MemoryLoad(fault) => Target::Service(&fault.on),
            Fault::FdsTaken(fault) => Target::Service(&fault.on),
            Fault::DiskFull(fault) => Target::Service(&fault.on),
            Fault::DiskSlow(fault) => Target::Service(&fault.on),
            Fault::Damage(fault) => Target::Service(&fault.on),
            Fault::ClockSkew(fault) => Target::Service(&fault.on),
            Fault::ConnectionsTaken(fault) => Target::Service(&fault.on),
            Fault::Partition(fault) => Target::Across(fault),
            Fault::Scale(fault) => Target::Service(&fault.on),
            Fault::Script(_) => return None,
        })
    }

    /// What of it makes no sense whatever the system.
    pub fn objection(&self) -> Option<Objection> {
        // How long one is down may be left to what starts it again.
        let down = matches!(
            self,
            Fault::Kill(_) | Fault::Terminate(_) | Fault::Stop(_) | Fault::PowerLoss(_)
        );
        if !down && self.hold() == Some(Dur::ZERO) {
            return Some((
                "/for",
                "what holds for no time changes nothing",
                "write how long, such as 5s",
            ));
        }
        match self {
            Fault::CrashLoop(fault) => fault.objection(),
            Fault::Delay(fault) => fault.objection(),
            Fault::Slice(fault) => fault.objection(),
            Fault::SlowClose(fault) => fault.objection(),
            Fault::Intercept(fault) => fault.objection(),
            Fault::CpuLoad(fault) => fault.objection(),
            Fault::DiskSlow(fault) => fault.objection(),
            Fault::Damage(fault) => fault.objection(),
            _ => None,
        }
    }

    /// What will hold at the target, where it is one.
    pub fn condition(&self) -> Option<Condition> {
        Some(match self {
            Fault::Kill(fault) => fault.condition(),
            Fault::Terminate(fault) => fault.condition(),
            Fault::Stop(fault) => fault.condition(),
            Fault::CrashLoop(fault) => fault.condition(),
            Fault::StartFailure(fault) => fault.condition(),
            Fault::PowerLoss(fault) => fault.condition(),
            Fault::Freeze(fault) => fault.condition(),
            Fault::Cut(fault) => fault.condition(),
            Fault::Delay(fault) => fault.condition(),
            Fault::Throttle(fault) => fault.condition(),
            Fault::Stall(fault) => fault.condition(),
            Fault::Corrupt(fault) => fault.condition(),
            Fault::Slice(fault) => fault.condition(),
            Fault::SlowClose(fault) => fault.condition(),
            Fault::Truncate(fault) => fault.condition(),
            Fault::Silence(fault) => fault.condition(),
            Fault::Intercept(fault) => fault.condition(),
            Fault::CpuLoad(fault) => fault.condition(),
            Fault::MemoryLoad(fault) => fault.condition(),
            Fault::FdsTaken(fault) => fault.condition(),
            Fault::DiskFull(fault) => fault.condition(),
            Fault::DiskSlow(fault) => fault.condition(),
            Fault::Damage(fault) => fault.condition(),
            Fault::ClockSkew(fault) => fault.condition(),
            Fault::ConnectionsTaken(fault) => fault.condition(),
            Fault::Scale(fault) => fault.condition(),
            // Each of its links has its own.
            Fault::Partition(_) | Fault::Script(_) => return None,
        })
    }

    /// The share of the main tasks that, once done, makes it strike before its time.
    pub fn or_done(&self) -> Option<f64> {
        match self {
            Fault::Scale(fault) => fault.or_done.map(Percent::fraction),
            _ => None,
        }
    }

    /// How long it holds; `None` leaves it to the service's own `restart.after`.
    pub fn hold(&self) -> Option<Dur> {
        match self {
            Fault::Kill(fault) => fault.down,
            Fault::Terminate(fault) => fault.down,
            Fault::Stop(fault) => fault.down,
            Fault::CrashLoop(fault) => Some(fault.lasts),
            Fault::StartFailure(fault) => Some(fault.lasts),
            Fault::PowerLoss(fault) => fault.down,
            Fault::Freeze(fault) => Some(fault.lasts),
            Fault::Cut(fault) => Some(fault.lasts),
            Fault::Delay(fault) => Some(fault.lasts),
            Fault::Throttle(fault) => Some(fault.lasts),
            Fault::Stall(fault) => Some(fault.lasts),
            Fault::Corrupt(fault) => Some(fault.lasts),
            Fault::Slice(fault) => Some(fault.lasts),
            Fault::SlowClose(fault) => Some(fault.lasts),
            Fault::Truncate(fault) => Some(fault.lasts),
            Fault::Silence(fault) => Some(fault.lasts),
            Fault::Intercept(fault) => Some(fault.lasts),
            Fault::CpuLoad(fault) => Some(fault.lasts),
            Fault::MemoryLoad(fault) => Some(fault.lasts),
            Fault::FdsTaken(fault) => Some(fault.lasts),
            Fault::DiskFull(fault) => Some(fault.lasts),
            Fault::DiskSlow(fault) => Some(fault.lasts),
            Fault::Damage(fault) => Some(fault.lasts),
            Fault::ClockSkew(fault) => Some(fault.lasts),
            Fault::ConnectionsTaken(fault) => Some(fault.lasts),
            Fault::Partition(fault) => Some(fault.lasts),
            Fault::Scale(_) | Fault::Script(_) => None,
        }
    }
}
