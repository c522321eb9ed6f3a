//! What this machine can be made to feel.

use serde_json::Value;

use super::place::Place;

/// Whether a fault can be put in force here, as `squall doctor` says: it must be, but where `SQUALL_SKIP_FAULTS` excuses it.
///
/// # Panics
/// When it can't be and nobody has excused it: a test that looked at nothing has not passed.
pub fn possible(fault: &str) -> bool {
    let output = Place::new().output(&["doctor", "--json"]);
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut faults = seen["faults"].as_array().unwrap().iter();
    let row = &faults.find(|row| row["fault"] == fault).unwrap()["worlds"]["process"];
    if row["possible"] == true {
        return true;
    }
    let excused = std::env::var("SQUALL_SKIP_FAULTS").unwrap_or_default();
    assert!(
        excused.split_whitespace().any(|word| word == fault),
        "`{fault}` can't be put in force here: {}; {}, or do without it (SQUALL_SKIP_FAULTS={fault})",
        row["why"],
        row["enable"]
    );
    eprintln!("`{fault}` is not tried: {}", row["why"]);
    false
}
