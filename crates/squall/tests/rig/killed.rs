//! Squall's own processes are killed, and nothing of what they started may be left.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::place::Place;
use super::residue::Trail;

/// After this, nothing may be left of a system whose squall was killed.
const WITHIN: Duration = Duration::from_secs(5);

/// Who of squall's two processes is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whom {
    Guard,
    Worker,
    Both,
}

impl Whom {
    /// Kills them so that neither can do anything about the other's end.
    pub fn strike(self, [guard, worker]: [u32; 2]) {
        let pids = match self {
            Whom::Guard => vec![guard],
            Whom::Worker => vec![worker],
            Whom::Both => vec![guard, worker],
        };
        for signal in [Signal::SIGSTOP, Signal::SIGKILL] {
            pids.iter()
                .for_each(|pid| kill(Pid::from_raw(*pid as i32), signal).unwrap());
        }
    }
}

/// The second of squall's two processes.
pub fn child(trail: &Trail, guard: u32) -> u32 {
    let mut ours = trail.living().into_iter().filter(|(pid, _)| *pid != guard);
    ours.find(|(_, words)| words.starts_with("/proc/self/exe run"))
        .unwrap()
        .0
}

/// Nothing may be left, without anybody's doing; where both were killed, once somebody said so.
pub fn cleared(place: &Place, (trail, whom): (&Trail, Whom), what: &str) {
    if whom == Whom::Both {
        let left = trail.residue();
        assert!(
            !left.processes.is_empty(),
            "{what}: nobody was left to clear up: {left:#?}"
        );
        let healed = place.output(&["heal"]);
        assert!(healed.status.success(), "{what}: {healed:?}");
        let left = trail.residue();
        assert!(left.none(), "{what}: `squall heal` left {left:#?}");
    }
    gone(trail, what);
}

/// Waits until nothing is left, at most [`WITHIN`].
fn gone(trail: &Trail, what: &str) {
    let since = Instant::now();
    loop {
        let left = trail.residue();
        if left.none() {
            return eprintln!("{what}: killed, and clean after {:?}", since.elapsed());
        }
        if since.elapsed() > WITHIN {
            // A test that failed leaves nothing, either.
            trail.clear();
            panic!("{what}: {WITHIN:?} later there is still {left:#?}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
