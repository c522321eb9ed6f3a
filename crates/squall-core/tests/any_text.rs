//! Whatever a file says, reading it ends with a value or with mistakes that can be shown.

use std::collections::BTreeMap;

use proptest::prelude::*;
use schemars::JsonSchema;
use serde::Deserialize;
use squall_core::amount::{Dur, Percent};
use squall_core::diagnostic::Mistakes;
use squall_core::document::Document;
use squall_core::expr::{Lookup, Scope, Value, fill};

#[derive(Debug, Deserialize, JsonSchema)]
#[expect(dead_code, reason = "read, never looked at")]
struct Anything {
    name: Option<String>,
    count: Option<u32>,
    share: Option<Percent>,
    steps: Option<Vec<Step>>,
    more: Option<BTreeMap<String, Anything>>,
    rest: Option<serde_json::Value>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "read, never looked at")]
enum Step {
    Rest,
    Wait { time: Dur },
    Go(i64),
}

struct Names;

impl Scope for Names {
    fn lookup(&self, name: &str) -> Lookup {
        match name {
            "n" => Lookup::Known(Value::Num(3.5)),
            "t" => Lookup::Known(Value::Dur(Dur::secs(2))),
            "late" => Lookup::Deferred,
            _ => Lookup::Unknown,
        }
    }

    fn names(&self) -> Vec<String> {
        vec!["n".to_owned(), "t".to_owned()]
    }

    fn pace(&self) -> f64 {
        0.0
    }
}

const VALID: &str = r#"name: "größe ${n}"
count: 3
share: 50%
steps: [rest, { wait: { time: "${t * 2}" } }, { go: -1 }]
more:
  one: { name: '${late}', share: 1% }
  two:
    steps:
      - go: 0x1F
      - wait: { time: 1m30s }
rest: |
  text $${n}
  ${n + 1}
"#;

fn read_all(text: &str) {
    let result = Document::parse("any.yaml", text)
        .and_then(|document| document.expand(&Names).or(Ok(document)))
        .and_then(|document| {
            let _ = document.mistakes(vec![document.mistake("/more/one/0", "x", None)]);
            document.read::<Anything>()
        });
    if let Err(mistakes) = result {
        assert!(!mistakes.list().is_empty());
        all_can_be_shown(&mistakes);
    }
}

fn all_can_be_shown(mistakes: &Mistakes) {
    for mistake in mistakes.list() {
        let (start, length) = mistake.span;
        assert!(mistakes.text().get(start..start + length).is_some());
    }
    assert_eq!(mistakes.plain().lines().count(), mistakes.list().len());
    assert!(!mistakes.render(false, 80).is_empty());
}

#[test]
fn the_valid_text_is_valid() {
    let document = Document::parse("any.yaml", VALID).unwrap();
    document.expand(&Names).unwrap().read::<Anything>().unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn arbitrary_text_is_no_danger(text in "\\PC{0,80}|[-a-z0-9:{}\\[\\],'\"#&*!|> \\n\\t%$é]{0,80}") {
        read_all(&text);
        let _ = fill(&text, &|name| Some(name.to_owned()));
    }

    #[test]
    fn a_valid_file_with_a_part_replaced_is_no_danger(
        at in 0..VALID.len(),
        length in 0..20usize,
        part in "[-a-z0-9:{}\\[\\],'\"#&*!|> \\n\\t%$é]{0,6}",
    ) {
        let start = VALID.floor_char_boundary(at);
        let end = VALID.floor_char_boundary(at + length);
        read_all(&format!("{}{part}{}", &VALID[..start], &VALID[end..]));
    }

    #[test]
    fn filling_without_holes_changes_nothing(text in "[a-z{}$ ]{0,40}") {
        prop_assume!(!text.contains("${"));
        prop_assert_eq!(fill(&text, &|_| None).unwrap(), text);
    }
}
