//! The system's own monitoring under test: what notices a loss passes, what does not, and what cries wolf, is found.
//!
//! They need taskhub (`cargo build -p taskhub`) and PostgreSQL.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail by panicking, too")]

#[path = "rig/place.rs"]
mod place;

use std::fs;

use place::Place;
use squall_core::check::{Outcome, Verdict};
use squall_core::report::Report;

const STORM: &str = "
scenario: noticed
hypothesis: Whoever is on call learns that the database is gone, and nothing else.
workload:
  tasks: { count: 2, takes: 500ms }
  api: { rate: 10/s }
storm:
  - stop: { on: db, at: 1s, down: 4s }
checks:
  - alarmed: { by: database, of: db, within: 2s }
";

const OWN: &str = "of: { metric: taskhub_database_up }, rings: { below: 1 }";

/// What the check says where the alarm is another one than taskhub's own.
fn verdict(alarm: &str) -> (Option<i32>, Verdict) {
    let place = Place::with_taskhub("sh -c true");
    let system = fs::read_to_string(place.path().join("system.yaml")).unwrap();
    assert!(system.contains(OWN));
    place.write("system.yaml", system.replace(OWN, alarm));
    place.write("noticed.yaml", STORM);
    let output = place.output(&["run", "-s", "noticed.yaml", "--seed", "7"]);
    let text = fs::read_to_string(place.path().join("tmp/latest/report.json"));
    let text = text.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    let mut report: Report = serde_json::from_str(&text).unwrap();
    let verdict = report.scenarios.remove(0).verdicts.remove(0);
    (output.status.code(), verdict)
}

#[test]
fn an_alarm_that_tells_of_a_loss_passes_and_one_that_does_not_or_always_rings_is_found() {
    let (code, sound) = verdict(OWN);
    assert_eq!((code, sound.outcome), (Some(0), Outcome::Pass), "{}", sound.says);
    assert_eq!(sound.checked, 1);
    for (alarm, class) in [
        // Counts what never happens.
        (
            "of: { metric: 'taskhub_http_requests_total{status=\"1xx\"}' }, rings: { above: 0 }",
            "unnoticed",
        ),
        // Counts what always does.
        (
            "of: { metric: 'taskhub_http_requests_total{status=\"2xx\"}' }, rings: { above: 0 }",
            "false-alarm",
        ),
    ] {
        let (code, found) = verdict(alarm);
        assert_eq!((code, found.class.as_deref()), (Some(1), Some(class)), "{}", found.says);
        assert!(!found.evidence.is_empty());
    }
    let (code, unread) = verdict("of: { value: $.firing }, rings: { above: 0 }");
    assert_eq!(
        (code, unread.outcome),
        (Some(3), Outcome::Inconclusive),
        "{}",
        unread.says
    );
    assert!(unread.says.contains("never read"), "{}", unread.says);
}
