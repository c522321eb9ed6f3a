//! One fault, ordered by hand: the scenario it is read as, so that it has the words and the mistakes of one in a file.

use schemars::schema_for;
use serde_json::Value;

use crate::amount::Dur;
use crate::diagnostic::nearest;
use crate::fault::{CATALOGUE, Fault};

/// Keys that say when a storm's fault strikes; one that is ordered strikes at once, and once.
const TIMING: [&str; 7] = ["when", "at", "after", "every", "until", "times", "or_done"];

/// The text of a scenario with one fault, whose keys are given as they would stand in a file, for so long.
///
/// # Errors
/// What is wrong with it that the file's own mistakes would not say, and what to do.
pub fn ad_hoc(fault: &str, keys: &[(String, String)], lasts: Dur) -> Result<String, (String, String)> {
    let words = || CATALOGUE.iter().map(|(word, ..)| *word);
    if !words().any(|word| word == fault) {
        let help = nearest(fault, words()).map_or_else(
            || format!("the faults are {}", words().collect::<Vec<_>>().join(", ")),
            |close| format!("did you mean `{close}`?"),
        );
        return Err((format!("there is no fault `{fault}`"), help));
    }
    let hold = match fault {
        "script" => {
            let what = "squall can't end what a script of yours does".to_owned();
            return Err((what, "run it yourself".to_owned()));
        }
        "kill" | "terminate" | "stop" | "power_loss" => Some("down"),
        "scale" => None,
        _ => Some("for"),
    };
    let mut text = format!("scenario: inject\nhypothesis: Ordered by hand.\nchecks: []\nstorm:\n  - {fault}:\n");
    for (key, value) in keys {
        if TIMING.contains(&key.as_str()) {
            let what = format!("`{key}` is for storms: what is injected strikes at once, and once");
            return Err((what, "leave it out, or write a scenario".to_owned()));
        }
        if Some(key.as_str()) == hold || key == "for" {
            let what = format!("`{key}` is not said here");
            return Err((what, "how long it holds is said with --for".to_owned()));
        }
        let plain = |c: char| c.is_ascii_lowercase() || c == '_';
        if !key.chars().all(plain) || value.contains(['\n', '\r']) {
            let what = format!("`{key}={value}` is no key of a fault and its value");
            return Err((what, "write KEY=VALUE, such as on=worker".to_owned()));
        }
        match takes_text(fault, key) && !value.starts_with(['"', '\'']) {
            // What YAML would take for a number, or for something of its own, is meant as it stands.
            true => text += &format!("      {key}: {}\n", Value::from(value.as_str())),
            false => text += &format!("      {key}: {value}\n"),
        }
    }
    if let Some(hold) = hold {
        text += &format!("      {hold}: {lasts}\n");
    }
    Ok(text)
}

/// Whether a key of a fault takes any text.
fn takes_text(fault: &str, key: &str) -> bool {
    let schema = schema_for!(Fault).to_value();
    let mut variants = schema["oneOf"].as_array().into_iter().flatten();
    let own = variants.find_map(|variant| variant["properties"][fault]["$ref"].as_str());
    let name = own.and_then(|own| own.strip_prefix("#/$defs/")).unwrap_or_default();
    let kind = &schema["$defs"][name]["properties"][key]["type"];
    kind == "string" || kind.as_array().is_some_and(|kinds| kinds.contains(&"string".into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Document;
    use crate::scenario::Scenario;

    fn keys(text: &str) -> Vec<(String, String)> {
        let words = text.split_whitespace().filter_map(|word| word.split_once('='));
        words.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn what_is_ordered_is_read_as_a_file_would_be() {
        for (fault, given, hold) in [
            ("kill", "on=worker", Some(3)),
            ("freeze", "on=db", Some(3)),
            ("delay", "from=server to=db latency=100ms way=up", Some(3)),
            ("scale", "on=worker to=1", None),
            // Text, whatever YAML would take it for.
            (
                "intercept",
                "from=server to=db protocol=postgres then=error code=40001",
                Some(3),
            ),
            (
                "intercept",
                "from=server to=db protocol=postgres then=error code=\"40001\"",
                Some(3),
            ),
            ("damage", "on=db files=* how=bit_flip spots=3", Some(3)),
        ] {
            let text = ad_hoc(fault, &keys(given), Dur::secs(3)).unwrap();
            let scenario = Scenario::read(&Document::parse("x", &text).unwrap()).unwrap();
            assert_eq!(scenario.storm.len(), 1);
            assert_eq!(scenario.storm[0].word(), fault);
            assert_eq!(scenario.storm[0].hold(), hold.map(Dur::secs), "{fault}");
        }
    }

    #[test]
    fn what_makes_no_sense_by_hand_is_refused_with_its_remedy() {
        for (fault, given, what, remedy) in [
            ("kil", "", "no fault `kil`", "`kill`"),
            ("script", "run=x", "script", "yourself"),
            ("kill", "on=worker every=3s", "`every`", "scenario"),
            ("kill", "on=worker down=3s", "`down` is not said here", "--for"),
            ("freeze", "on=worker for=3s", "`for` is not said here", "--for"),
            ("kill", "ON=worker", "ON=worker", "KEY=VALUE"),
        ] {
            let (said, help) = ad_hoc(fault, &keys(given), Dur::secs(3)).unwrap_err();
            assert!(said.contains(what) && help.contains(remedy), "{said}: {help}");
        }
    }
}
