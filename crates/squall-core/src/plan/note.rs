//! What of a plan looks like a slip, and may be meant.

use std::collections::BTreeSet;

use super::Plan;
use crate::place::Condition;

impl Plan {
    /// What looks like a slip, a line each. Nothing of it keeps the plan from being run.
    pub fn notes(&self) -> Vec<String> {
        let slips = self.steps.iter().filter_map(|step| {
            let Condition::Intercepted(what) = &step.condition else {
                return None;
            };
            let said = what.command.as_deref()?;
            let (meant, protocol) = (what.protocol.meant(said)?, what.protocol.word());
            let fault = &step.fault;
            Some(format!(
                "`{fault}` picks `{said}`, which is none of the usual words of {protocol}: if `{meant}` is meant, write that"
            ))
        });
        slips.collect::<BTreeSet<_>>().into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::document::Document;
    use crate::plan::{PLAIN, plan};
    use crate::scenario::Scenario;
    use crate::system::System;

    const SYSTEM: &str = "
system: x
entry: server
services:
  server: { run: x, links: [db, other] }
  db: { preset: postgres }
  other: { run: y }
";

    fn planned(rest: &str) -> Result<Vec<String>, String> {
        let system = System::read(&Document::parse("system.yaml", SYSTEM).unwrap()).unwrap();
        let text = format!(
            "scenario: s\nhypothesis: h\nchecks: [none_stuck]\n\
             storm: [{{ intercept: {{ from: server, {rest}, then: error, for: 2s }} }}]"
        );
        let doc = Document::parse("s.yaml", &text).unwrap();
        let scenario = Scenario::read(&doc).unwrap();
        let planned = plan(&doc, &scenario, &system.facts(), PLAIN);
        planned.map(|plan| plan.notes()).map_err(|mistakes| mistakes.plain())
    }

    #[test]
    fn a_word_that_may_be_a_slip_is_noted_and_one_that_must_be_is_refused() {
        let notes = planned("to: other, protocol: http, command: gte").unwrap();
        assert!(
            matches!(&notes[..], [note] if note.contains("picks `GTE`") && note.contains("if `GET` is meant")),
            "{notes:?}"
        );
        // A database of somebody's own may know more words than PostgreSQL.
        assert_eq!(
            planned("to: other, protocol: postgres, command: selct").unwrap().len(),
            1
        );
        let says = planned("to: db, protocol: postgres, command: SELCT").unwrap_err();
        assert!(
            says.contains("s.yaml:4") && says.contains("begins with `SELCT` (did you mean `SELECT`?)"),
            "{says}"
        );
        for sound in [
            "to: db, protocol: postgres, command: commit",
            "to: other, protocol: http, command: PURGE",
        ] {
            assert_eq!(planned(sound), Ok(Vec::new()));
        }
    }
}
