//! What this machine can't do of a scenario that fits its system: found before anything is run.

use squall_core::diagnostic::Mistakes;
use squall_core::document::Document;
use squall_core::fault::Fault;
use squall_core::scenario::Scenario;

use crate::client::Address;
use crate::world::process::Disk;

/// What would let it.
const REMEDY: &str = "run squall as root, or let everybody have user namespaces (on Debian \
                      `sysctl kernel.unprivileged_userns_clone=1`, on Ubuntu \
                      `sysctl kernel.apparmor_restrict_unprivileged_userns=0`)";

/// Refuses a scenario with a fault that can't be put in force here, at its line.
pub(super) fn able(doc: &Document, scenario: &Scenario, attach: Option<&Address>) -> Result<(), Mistakes> {
    let Some((entry, needs)) = lacking_here(scenario, attach) else {
        return Ok(());
    };
    let (at, message) = (
        format!("/storm/{entry}/disk_full"),
        format!("`disk_full` needs {needs}"),
    );
    Err(doc.mistakes(vec![doc.mistake(&at, message, Some(REMEDY.to_owned()))]))
}

/// The first fault that can't be put in force here: its place in the storm, and what it needs. Of a system that is
/// attached to, squall has no handle on anything, which is said elsewhere.
pub(super) fn lacking_here(scenario: &Scenario, attach: Option<&Address>) -> Option<(usize, String)> {
    let mut storm = scenario.storm.iter().enumerate().filter(|_| attach.is_none());
    let (entry, service) = storm.find_map(|(entry, fault)| match fault {
        Fault::DiskFull(fault) => Some((entry, &fault.on)),
        _ => None,
    })?;
    let why = Disk::possible().err()?;
    let needs = format!("a disk of its own for `{service}`, and none can be made here ({why})");
    Some((entry, needs))
}
