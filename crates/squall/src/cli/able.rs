//! What this machine can't do of a scenario that fits its system: found before anything is run.

use squall_core::diagnostic::Mistake;
use squall_core::document::Document;
use squall_core::fault::Fault;
use squall_core::scenario::Scenario;

use crate::world::process::Disk;

/// What would let it.
const REMEDY: &str = "run squall as root, or let everybody have user namespaces (on Debian \
                      `sysctl kernel.unprivileged_userns_clone=1`, on Ubuntu \
                      `sysctl kernel.apparmor_restrict_unprivileged_userns=0`)";

/// The first fault that can't be put in force here: its mistake, and what it needs.
pub(super) fn unable(doc: &Document, scenario: &Scenario) -> Option<(Mistake, String)> {
    let mut storm = scenario.storm.iter().enumerate();
    let (entry, service) = storm.find_map(|(entry, fault)| match fault {
        Fault::DiskFull(fault) => Some((entry, &fault.on)),
        _ => None,
    })?;
    let why = Disk::possible().err()?;
    let needs = format!("a disk of its own for `{service}`, and none can be made here ({why})");
    let message = format!("`disk_full` needs {needs}");
    let mistake = doc.mistake(&format!("/storm/{entry}/disk_full"), message, Some(REMEDY.to_owned()));
    Some((mistake, needs))
}
