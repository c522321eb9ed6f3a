//! Operations on objects, as a contract says.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json_path::JsonPath;
use squall_core::contract::Verb;
use squall_core::event::{Answer, Outcome};
use squall_core::expr::UnknownName;

use super::{Call, Client, Judged, Names, Reply, fill_json};

/// An operation, and what came of it.
#[derive(Debug)]
pub struct Operated {
    /// What was sent.
    pub call: Call,
    /// What came back.
    pub reply: Reply,
    /// That, held against what was promised.
    pub judged: Judged,
    /// What it showed, where it was done and shows anything.
    pub shown: Vec<Value>,
}

impl Operated {
    /// Whether the answer is that there is no such object.
    pub fn absent(&self) -> bool {
        matches!(self.judged.status, Some(404 | 410))
    }

    /// Takes what was wrongly answered for what it is: nobody knows what was done.
    pub fn misses(&mut self, what: &str) {
        self.judged.answer = Answer::Wrong;
        self.judged.outcome = Outcome::Unknown;
        self.judged.fault = Some(format!("the answer has no {what}"));
    }
}

impl Client {
    /// Sends an operation.
    ///
    /// # Errors
    /// It names something that is not known.
    pub async fn operate(
        &self,
        verb: &Verb,
        headers: &BTreeMap<String, String>,
        names: &Names,
    ) -> Result<Operated, UnknownName> {
        let call = Call {
            method: verb.method,
            path: names.text(&verb.path)?,
            headers: names.map(headers)?,
            json: verb.json.as_ref().map(|json| fill_json(json, names)).transpose()?,
        };
        let reply = self.send(&call).await;
        Ok(Operated::of(verb, call, reply))
    }
}

impl Operated {
    fn of(verb: &Verb, call: Call, reply: Reply) -> Self {
        let mut judged = reply.judge(verb.expect, None);
        if judged.status.is_some_and(|status| verb.refuses.contains(&status)) {
            judged.answer = Answer::Right;
            judged.outcome = Outcome::Failed;
            judged.fault = None;
        }
        let json = reply.what.as_ref().ok().and_then(|answered| answered.json.as_ref());
        let shown = match (judged.outcome, json, &verb.shows) {
            (Outcome::Ok, Some(json), Some(path)) => all(json, path),
            _ => Vec::new(),
        };
        Self {
            call,
            reply,
            judged,
            shown,
        }
    }
}

/// Every value at `path` in `json`, in order.
fn all(json: &Value, path: &str) -> Vec<Value> {
    let path = JsonPath::parse(path).ok();
    path.map_or_else(Vec::new, |path| path.query(json).all().into_iter().cloned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{Answered, Silence};
    use serde_json::json;
    use squall_core::contract::Method;
    use std::time::Instant;

    fn operated(what: Result<Answered, Silence>) -> Operated {
        let verb = Verb {
            method: Method::Post,
            path: "/locks/a".to_owned(),
            json: None,
            expect: Some(201),
            refuses: vec![409],
            shows: Some("$.list[*]".to_owned()),
        };
        let call = Call {
            method: Method::Post,
            path: verb.path.clone(),
            headers: BTreeMap::new(),
            json: None,
        };
        let now = Instant::now();
        Operated::of(
            &verb,
            call,
            Reply {
                call: now,
                ret: now,
                what,
            },
        )
    }

    fn answered(status: u16) -> Operated {
        let json = Some(json!({ "list": ["a", "b"] }));
        operated(Ok(Answered { status, json }))
    }

    #[test]
    fn a_refusal_that_was_promised_is_right_and_did_nothing_and_any_other_is_wrong() {
        let refused = answered(409);
        assert_eq!(
            (refused.judged.answer, refused.judged.outcome),
            (Answer::Right, Outcome::Failed)
        );
        let other = answered(422);
        assert_eq!(
            (other.judged.answer, other.judged.outcome),
            (Answer::Wrong, Outcome::Failed)
        );
        assert!(refused.shown.is_empty() && other.shown.is_empty());
    }

    #[test]
    fn what_is_shown_is_taken_in_its_order_and_only_of_what_was_done() {
        assert_eq!(answered(201).shown, [json!("a"), json!("b")]);
        assert!(answered(500).shown.is_empty());
        assert_eq!(operated(Err(Silence::TimedOut)).judged.outcome, Outcome::Unknown);
    }
}
