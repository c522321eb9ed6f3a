//! What was done with an object, in words.

use crate::event::{Act, Touch};

/// Which object it was, what was said, what was shown, and which copy was asked.
pub(super) fn touch(touch: &Touch) -> String {
    let shown = |value: Option<i64>| value.map_or("nothing".to_owned(), |value| value.to_string());
    let what = match &touch.act {
        Act::Add { value } | Act::Read { value } => format!("showed {}", shown(*value)),
        Act::Acquire { owner, token: None } => format!("for {owner}"),
        Act::Acquire { owner, token } => format!("for {owner}, token {}", shown(*token)),
        Act::Release { owner } => format!("by {owner}"),
        Act::Append { owner, mark } => format!("{mark} by {owner}"),
        Act::Ledger { marks: None } => "showed nothing".to_owned(),
        Act::Ledger { marks: Some(marks) } => format!("showed {} appends", marks.len()),
    };
    let to = touch
        .to
        .as_ref()
        .map_or(String::new(), |copy| format!(", asked of {copy}"));
    format!(" ({}: {what}{to})", touch.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Object;

    #[test]
    fn evidence_says_what_was_said_and_what_was_shown() {
        let said = |act: Act, to: Option<&str>| {
            touch(&Touch {
                of: Object::Lock,
                name: "l1".to_owned(),
                session: None,
                to: to.map(|copy| copy.parse().unwrap()),
                act,
            })
        };
        let (owner, mark) = ("o".to_owned(), "m".to_owned());
        assert_eq!(said(Act::Add { value: Some(7) }, None), " (l1: showed 7)");
        assert_eq!(said(Act::Read { value: None }, None), " (l1: showed nothing)");
        let acquire = Act::Acquire {
            owner: owner.clone(),
            token: Some(3),
        };
        assert_eq!(
            said(acquire, Some("server-2")),
            " (l1: for o, token 3, asked of server-2)"
        );
        assert_eq!(said(Act::Append { owner, mark }, None), " (l1: m by o)");
        let marks = Some(vec!["m".to_owned(), "n".to_owned()]);
        assert_eq!(said(Act::Ledger { marks }, None), " (l1: showed 2 appends)");
    }
}
