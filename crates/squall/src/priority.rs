//! Who goes first when processors are short: the instrument before what it measures.
//!
//! A probe, a proxy or a request that has to wait for the system under test measures its own waiting.
//! Where the kernel allows it (root, or a limit on `nice`), squall's threads go ahead of the ordinary
//! priority; whatever it starts does not. Elsewhere nothing changes, and the load says when it was late.

use std::sync::OnceLock;

use rustix::process::{getpriority_process, setpriority_process};

/// So many steps of `nice` ahead.
const AHEAD: i32 = 10;

/// What squall was started with, and everything it starts shall have; `None` before anything went ahead.
static USUAL: OnceLock<i32> = OnceLock::new();

/// From now on the calling thread, and every thread it starts, goes ahead where that is allowed.
pub(crate) fn ahead() {
    if let Ok(now) = getpriority_process(None) {
        let usual = *USUAL.get_or_init(|| now);
        // Refused without the privilege: then all are equal.
        let _ = setpriority_process(None, usual - AHEAD);
    }
}

/// Whether that is allowed; tried on a thread of its own, which ends with it.
pub(crate) fn may_go_ahead() -> bool {
    let tried = std::thread::Builder::new()
        .name("priority".to_owned())
        .spawn(|| getpriority_process(None).is_ok_and(|now| setpriority_process(None, now - AHEAD).is_ok()));
    tried.is_ok_and(|thread| thread.join().unwrap_or(false))
}

/// Does something at the usual priority: a process started so has it, too.
pub(crate) fn as_usual<T>(act: impl FnOnce() -> T) -> T {
    let (Some(&usual), Ok(now)) = (USUAL.get(), getpriority_process(None)) else {
        return act();
    };
    let _ = setpriority_process(None, usual);
    let done = act();
    let _ = setpriority_process(None, now);
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The `nice` of a process, as the kernel tells it.
    fn nice(process: &str) -> i32 {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
        let fields = stat.rsplit_once(')').unwrap().1;
        fields.split_whitespace().nth(16).unwrap().parse().unwrap()
    }

    #[test]
    fn what_is_started_has_the_priority_squall_was_started_with() {
        let act = || {
            let before = nice("thread-self");
            ahead();
            let own = nice("thread-self");
            // Refused for an ordinary user: then nothing may have changed.
            assert!(own == before - AHEAD || own == before, "{own} after {before}");
            let mut child = as_usual(|| std::process::Command::new("sleep").arg("60").spawn()).unwrap();
            let its = nice(&child.id().to_string());
            child.kill().unwrap();
            child.wait().unwrap();
            assert_eq!(its, before);
            assert_eq!(nice("thread-self"), own);
        };
        // On a thread of its own: other tests keep their priority.
        std::thread::spawn(act).join().unwrap();
    }
}
