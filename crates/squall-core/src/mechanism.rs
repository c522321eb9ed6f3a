//! Mechanisms: by what each fault is put in force in each world, what that needs of the machine, and what is said where
//! it can't be. `squall doctor` prints this table, and planning refuses by it: there is no second one.
//!
//! A fault without a row fails the test below.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::diagnostic::Mistake;
use crate::document::Document;
use crate::fault::{CATALOGUE, Fault, Target};
use crate::scenario::Scenario;
use crate::stop::StopWhen;

/// Where a system lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Home {
    /// Squall started it, as processes of this machine.
    Process,
    /// It ran already, and squall knows its address alone.
    Attached,
}

impl Home {
    /// All there are.
    pub const ALL: [Home; 2] = [Home::Process, Home::Attached];

    /// The word used for it.
    pub fn word(self) -> &'static str {
        match self {
            Home::Process => "process",
            Home::Attached => "attached",
        }
    }
}

/// What a machine has and can do, looked at without changing anything.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// Its operating system and kernel: `linux 6.1.0, x86_64`.
    pub system: String,
    /// How many processors this process may use.
    pub processors: usize,
    /// Whether squall runs as root.
    pub root: bool,
    /// Whether processes, their trees and what they use can be read in `/proc`.
    pub processes: bool,
    /// Descriptors one process may have open: the soft limit and the hard one.
    pub descriptors: Option<(u64, u64)>,
    /// By how many microseconds a pause of 1 ms was too long, in the middle of several, where that was measured.
    pub timer_error_us: Option<u64>,
    /// Whether squall's own threads may go before those of the system under test.
    pub priority: bool,
    /// The control group squall is in, where it may make groups below it; else why it may not.
    pub cgroup: Found,
    /// Where PostgreSQL's server programs are; else what is missing.
    pub postgres: Found,
    /// By what a copy gets a disk of its own; else what the kernel said when one was tried.
    pub disks: Found,
    /// Whose clock functions squall can replace; else why not, when it was tried.
    pub clocks: Found,
    /// By what a copy gets one that can be slow; else what was said when it was tried.
    pub slow_disks: Found,
    /// By what a copy gets one that can lose its power; else what was said when it was tried.
    pub power: Found,
}

/// Something looked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// It is here.
    At(String),
    /// It is not, or not for this user: why.
    Missing(String),
}

/// What a mechanism needs of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Processes can be started, and found with all they started: also squall's own, whatever the fault.
    Processes,
    /// A copy can get a disk of its own.
    Disks,
    /// A copy can get a disk that can be slow.
    SlowDisks,
    /// The clock functions of a process can be replaced.
    Clocks,
    /// A copy can get a disk that loses what was not synced.
    Power,
    /// Squall may have as many descriptors as a database allows connections.
    Descriptors,
}

/// What a cluster of squall's own allows, 100 connections, and more than squall itself needs for a small system.
const ENOUGH: u64 = 256;

impl Need {
    /// Why a machine has it not, and what would give it.
    fn lacking(self, machine: &Machine) -> Option<Impossible> {
        match self {
            Need::Processes => (!machine.processes).then(|| Impossible {
                why: "no process can be started and found: there is no /proc".to_owned(),
                enable: "run it on Linux, with /proc mounted".to_owned(),
            }),
            Need::Disks => match &machine.disks {
                Found::At(_) => None,
                Found::Missing(why) => Some(Impossible {
                    why: format!("no copy can get a disk of its own ({why})"),
                    enable: ENABLE_DISKS.to_owned(),
                }),
            },
            Need::SlowDisks => match &machine.slow_disks {
                Found::At(_) => None,
                Found::Missing(why) => Some(Impossible {
                    why: format!("no copy can get a disk that is slow ({why})"),
                    enable: format!("{ENABLE_FUSE}; {ENABLE_DISKS}"),
                }),
            },
            Need::Clocks => match &machine.clocks {
                Found::At(_) => None,
                Found::Missing(why) => Some(Impossible {
                    why: format!("the clock functions of a process can't be replaced ({why})"),
                    enable: ENABLE_CLOCKS.to_owned(),
                }),
            },
            Need::Power => match &machine.power {
                Found::At(_) => None,
                Found::Missing(why) => Some(Impossible {
                    why: format!("no copy can get a disk that loses its power ({why})"),
                    enable: ENABLE_POWER.to_owned(),
                }),
            },
            Need::Descriptors => match machine.descriptors {
                Some((soft, _)) if soft < ENOUGH => Some(Impossible {
                    why: format!("squall may have no more than {soft} descriptors, and takes 100 connections"),
                    enable: format!("allow it {ENOUGH} at least: `ulimit -n 1024`"),
                }),
                _ => None,
            },
        }
    }
}

/// By what a fault is put in force in a world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means {
    /// By this, where the machine has what it needs.
    By(&'static str, &'static [Need]),
    /// By nothing: why, and what would enable it.
    Nothing(&'static str, &'static str),
}

/// The row of one fault.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The fault's word.
    pub fault: &'static str,
    /// In processes squall started.
    pub process: Means,
    /// On a system that ran already.
    pub attached: Means,
}

/// A fault that can't be put in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Impossible {
    /// Why.
    pub why: String,
    /// What would enable it.
    pub enable: String,
}

const ENABLE_DISKS: &str = "run squall as root, or let everybody have user namespaces (on Debian \
                            `sysctl kernel.unprivileged_userns_clone=1`, on Ubuntu \
                            `sysctl kernel.apparmor_restrict_unprivileged_userns=0`)";

const ENABLE_FUSE: &str =
    "let the kernel have FUSE (`modprobe fuse`), and squall open /dev/fuse: in a container `--device /dev/fuse`";

const ENABLE_CLOCKS: &str = "run squall on Linux on x86-64, as one who may trace all it starts: in a container as an \
                             ordinary user, or with `--cap-add SYS_PTRACE`; elsewhere \
                             `sysctl kernel.yama.ptrace_scope=1` allows it";
const ENABLE_POWER: &str = "run squall as root of the machine itself (of a container: a privileged one) with loop devices, ext4, \
                            `mount` and `mke2fs`: on Debian `apt-get install e2fsprogs mount`, `modprobe loop ext4`";

const LET_START: &str = "let squall start it: without --base-url (and BASE_URL)";
const SCRIPT: Means = Means::By(
    "a process of its own, killed with its group at its bound",
    &[Need::Processes],
);
const NO_PROCESS: Means = Means::Nothing("no handle on its processes", LET_START);
const NO_LINK: Means = Means::Nothing(
    "no handle on its links",
    "let squall start it, without --base-url (and BASE_URL); or lead its links through `squall proxy`",
);

/// One row for each fault, in the order of [`CATALOGUE`].
pub const TABLE: &[Row] = &[
    processes("kill", "SIGKILL to the copy's whole process tree"),
    processes("terminate", "SIGTERM to the copy's first process"),
    processes("stop", "the signal of its fast stop to the copy's first process"),
    processes(
        "crash_loop",
        "SIGKILL to the copy's whole process tree, each time it is ready again",
    ),
    processes(
        "start_failure",
        "SIGKILL to the copy's whole process tree, and `false` started in its program's place",
    ),
    Row {
        fault: "power_loss",
        process: Means::By(
            "ext4 on a loop device in a mount namespace, made for the storm, shut down without a flush; then SIGKILL",
            &[Need::Processes, Need::Power],
        ),
        attached: Means::Nothing("no handle on its disks", LET_START),
    },
    processes("freeze", "SIGSTOP to the copy's whole process tree, SIGCONT afterwards"),
    proxy("cut"),
    proxy("delay"),
    proxy("throttle"),
    proxy("stall"),
    proxy("corrupt"),
    proxy("slice"),
    proxy("slow_close"),
    proxy("truncate"),
    proxy("silence"),
    Row {
        fault: "intercept",
        process: Means::By(
            "squall's own TCP proxy on the link, which reads along",
            &[Need::Processes],
        ),
        attached: NO_LINK,
    },
    processes(
        "cpu_load",
        "busy threads of squall's own, bound with the copy's to the same processors",
    ),
    processes(
        "memory_load",
        "a lowered limit of the copy's processes on private memory (RLIMIT_DATA)",
    ),
    processes(
        "fds_taken",
        "a lowered limit of the copy's processes on descriptors (RLIMIT_NOFILE)",
    ),
    Row {
        fault: "disk_full",
        process: Means::By(
            "a file that fills the copy's disk: a tmpfs in a mount namespace, made for the storm",
            &[Need::Processes, Need::Disks],
        ),
        attached: Means::Nothing("no handle on its disks", LET_START),
    },
    Row {
        fault: "disk_slow",
        process: Means::By(
            "squall's own filesystem (FUSE) over the copy's disk in a mount namespace, made for the storm",
            &[Need::Processes, Need::SlowDisks],
        ),
        attached: Means::Nothing("no handle on its disks", LET_START),
    },
    processes(
        "damage",
        "writes to files in the copy's own folder, whose bytes are put back where they are as they were left",
    ),
    Row {
        fault: "clock_skew",
        process: Means::By(
            "other clock functions in the memory of the copy's processes (their vDSO), and the kernel's own afterwards",
            &[Need::Processes, Need::Clocks],
        ),
        attached: NO_PROCESS,
    },
    Row {
        fault: "connections_taken",
        process: Means::By(
            "connections squall opens and holds, past the link's proxy",
            &[Need::Processes, Need::Descriptors],
        ),
        attached: Means::Nothing("no handle on its database", LET_START),
    },
    proxy("partition"),
    processes(
        "scale",
        "SIGTERM to copies that are too many, a start of those that are missing",
    ),
    Row {
        fault: "script",
        process: SCRIPT,
        attached: SCRIPT,
    },
];

const fn processes(fault: &'static str, by: &'static str) -> Row {
    Row {
        fault,
        process: Means::By(by, &[Need::Processes]),
        attached: NO_PROCESS,
    }
}

const fn proxy(fault: &'static str) -> Row {
    Row {
        fault,
        process: Means::By("squall's own TCP proxy on the link", &[Need::Processes]),
        attached: NO_LINK,
    }
}

impl Row {
    /// By what it is put in force in a world, on a machine.
    ///
    /// # Errors
    /// It can't be.
    pub fn by(&self, home: Home, machine: &Machine) -> Result<&'static str, Impossible> {
        let means = match home {
            Home::Process => self.process,
            Home::Attached => self.attached,
        };
        match means {
            Means::By(what, needs) => {
                let mut lacking = needs.iter().filter_map(|need| need.lacking(machine));
                lacking.next().map_or(Ok(what), Err)
            }
            Means::Nothing(why, enable) => Err(Impossible {
                why: why.to_owned(),
                enable: enable.to_owned(),
            }),
        }
    }

    /// What shows that it had an effect.
    pub fn proof(&self) -> &'static str {
        let found = CATALOGUE.iter().find(|(word, ..)| *word == self.fault);
        found.map_or("", |(_, _, proof)| proof)
    }
}

/// The row of a fault.
pub fn row(fault: &Fault) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.fault == fault.word())
}

/// Every fault of a storm that can't be put in force in processes of this machine: where it stands, what is said, and
/// what would enable it.
fn refused(scenario: &Scenario, machine: &Machine) -> impl Iterator<Item = (String, String, String)> {
    let storm = scenario.storm.iter().enumerate();
    storm.filter_map(|(entry, fault)| {
        let impossible = row(fault)?.by(Home::Process, machine).err()?;
        let message = format!("`{}` can't be put in force here: {}", fault.word(), impossible.why);
        Some((format!("/storm/{entry}/{}", fault.word()), message, impossible.enable))
    })
}

/// Every fault of a storm that can't be put in force in processes of this machine, at its line.
pub fn refusals(doc: &Document, scenario: &Scenario, machine: &Machine) -> Vec<Mistake> {
    let refused = refused(scenario, machine);
    refused
        .map(|(at, message, enable)| doc.mistake(&at, message, Some(enable)))
        .collect()
}

/// The first of them, for a scenario that is left out because of it.
pub fn refusal(scenario: &Scenario, machine: &Machine) -> Option<String> {
    refused(scenario, machine).next().map(|(_, message, _)| message)
}

/// The parts squall would need a handle on where it only attached: services by their names, links as `from->to`.
pub fn handles(scenario: &Scenario, machine: &Machine) -> BTreeSet<String> {
    let possible = |fault: &&Fault| row(fault).is_some_and(|row| row.by(Home::Attached, machine).is_ok());
    let struck = scenario.storm.iter().filter(|fault| !possible(fault));
    let struck = struck.filter_map(Fault::target).map(|target| match target {
        Target::Service(service) => service.to_owned(),
        Target::Link(from, to) => format!("{from}->{to}"),
        Target::Across(partition) => match partition.isolate.is_empty() {
            true => "its links".to_owned(),
            false => format!("the links of {}", partition.isolate.join(", ")),
        },
    });
    let watched = scenario.stop_when.iter().filter_map(|stop| match stop {
        StopWhen::Down(down) => Some(down.on.clone()),
        StopWhen::Success(_) => None,
    });
    struck.chain(watched).chain(scenario.replicas.keys().cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words of all faults a file may hold, from the type that reads it.
    fn readable() -> Vec<String> {
        let schema = schemars::schema_for!(Fault).to_value();
        let variants = schema["oneOf"].as_array().unwrap();
        let words = variants.iter().map(|variant| variant["required"][0].as_str().unwrap());
        words.map(str::to_owned).collect()
    }

    fn linux() -> Machine {
        Machine {
            system: "linux".to_owned(),
            processors: 2,
            root: false,
            processes: true,
            descriptors: Some((1024, 4096)),
            timer_error_us: Some(60),
            priority: false,
            cgroup: Found::Missing("read-only".to_owned()),
            postgres: Found::Missing("not installed".to_owned()),
            disks: Found::At("a mount namespace".to_owned()),
            slow_disks: Found::At("FUSE".to_owned()),
            clocks: Found::At("all squall starts".to_owned()),
            power: Found::At("ext4".to_owned()),
        }
    }

    #[test]
    fn every_fault_that_can_be_written_has_a_row_and_a_proof_and_no_other_has() {
        let catalogue: Vec<&str> = CATALOGUE.iter().map(|(word, ..)| *word).collect();
        let rows: Vec<&str> = TABLE.iter().map(|row| row.fault).collect();
        assert_eq!(
            readable(),
            catalogue,
            "a variant of `Fault` without a row in `CATALOGUE`"
        );
        assert_eq!(rows, catalogue, "a row of `CATALOGUE` without one in `TABLE`");
        assert!(TABLE.iter().all(|row| !row.proof().is_empty()));
    }

    #[test]
    fn what_a_machine_lacks_makes_impossible_what_needs_it_and_nothing_else() {
        let bare = Machine {
            processes: false,
            ..linux()
        };
        let diskless = Machine {
            disks: Found::Missing("EPERM".to_owned()),
            ..linux()
        };
        let timeless = Machine {
            clocks: Found::Missing("EPERM".to_owned()),
            ..linux()
        };
        let lasting = Machine {
            power: Found::Missing("no loop device".to_owned()),
            ..linux()
        };
        let narrow = Machine {
            descriptors: Some((255, 4096)),
            ..linux()
        };
        for row in TABLE {
            assert!(row.by(Home::Process, &linux()).is_ok(), "{}", row.fault);
            for (machine, need) in [
                (&bare, Need::Processes),
                (&diskless, Need::Disks),
                (&timeless, Need::Clocks),
                (&lasting, Need::Power),
                (&narrow, Need::Descriptors),
            ] {
                let needs = matches!(row.process, Means::By(_, needs) if needs.contains(&need));
                assert_eq!(row.by(Home::Process, machine).is_err(), needs, "{}", row.fault);
            }
        }
        let disk = TABLE.iter().find(|row| row.fault == "disk_full").unwrap();
        let why = disk.by(Home::Process, &diskless).unwrap_err();
        assert!(
            why.why.contains("EPERM") && why.enable.contains("user namespaces"),
            "{why:?}"
        );
    }

    #[test]
    fn a_storm_is_refused_at_each_line_that_can_not_be_done_here() {
        let text = "scenario: s\nhypothesis: h\nchecks: [no_panics]\nstorm:\n  - cut: { from: a, to: b, how: reset, for: 1s }\n  \
                    - freeze: { on: a, for: 1s }\n";
        let doc = Document::parse("s.yaml", text).unwrap();
        let scenario: Scenario = doc.read().unwrap();
        let bare = Machine {
            processes: false,
            ..linux()
        };
        assert!(refusals(&doc, &scenario, &linux()).is_empty());
        let refused = doc.mistakes(refusals(&doc, &scenario, &bare)).plain();
        let lines: Vec<&str> = refused.lines().filter(|line| line.starts_with("s.yaml:")).collect();
        assert!(lines.len() == 2 && lines[0].contains("`cut`"), "{refused}");
        assert!(
            lines[1].starts_with("s.yaml:6:") && lines[1].contains("`freeze`"),
            "{refused}"
        );
        assert!(refused.contains("Linux"), "{refused}");
        let left_out = refusal(&scenario, &bare).unwrap();
        assert!(left_out.contains("`cut`"), "{left_out}");
        let parts: Vec<String> = handles(&scenario, &linux()).into_iter().collect();
        assert_eq!(parts, ["a", "a->b"]);
    }
}
