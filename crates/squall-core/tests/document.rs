//! Documents from text to type, and what they say when they cannot get there.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use squall_core::amount::{Dur, DurRange, Percent, PercentRange, Rate};
use squall_core::diagnostic::Mistakes;
use squall_core::document::{Document, published_schema};
use squall_core::expr::{Lookup, Scope, Value};

/// One of everything a file can hold.
#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
struct Sample {
    scenario: String,
    level: Level,
    workload: Workload,
    #[serde(default)]
    storm: Vec<Fault>,
    #[serde(default)]
    checks: Vec<Check>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    services: Option<BTreeMap<String, Service>>,
}

/// A number in its own type.
#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
struct Level(#[schemars(range(min = 1, max = 6))] u8);

/// Nested, with every amount.
#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
struct Workload {
    count: u32,
    rate: Option<Rate>,
    delay: Option<DurRange>,
    completion: Option<PercentRange>,
    json: Option<serde_json::Value>,
}

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Fault {
    /// Ends a process.
    Kill(Kill),
    /// Cuts a link.
    Cut { link: String, down: Dur },
    /// Nothing happens.
    Calm,
}

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
struct Kill {
    on: String,
    when: Option<Moment>,
    every: Option<Dur>,
    down: Dur,
}

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Moment {
    TaskRunning,
    LockHeld,
}

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Check {
    NoTaskLost,
    NoneStuck,
    ApiSuccess { at_least: Percent },
    Recovery { warn: Option<Dur>, within: Dur },
}

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
struct Service {
    run: String,
    #[serde(default)]
    links: Vec<String>,
    replicas: Option<u32>,
    port: Option<Port>,
}

/// A port that its own code refuses to be privileged; the schema does not say so.
#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(try_from = "u16")]
struct Port(u16);

impl TryFrom<u16> for Port {
    type Error = String;

    fn try_from(port: u16) -> Result<Self, String> {
        match port {
            1024.. => Ok(Self(port)),
            _ => Err(format!("port {port} needs root")),
        }
    }
}

struct Three;

impl Scope for Three {
    fn lookup(&self, name: &str) -> Lookup {
        match name {
            "level.tasks" => Lookup::Known(Value::Num(40.0)),
            "level.interval" => Lookup::Known(Value::Dur(Dur::secs(20))),
            "level.rate" => Lookup::Known(Value::Rate("10/s".parse().unwrap())),
            "level.word" => Lookup::Known(Value::Text("costs ${5}".to_owned())),
            "id" => Lookup::Deferred,
            name if name.starts_with("self.") => Lookup::Deferred,
            _ => Lookup::Unknown,
        }
    }

    fn names(&self) -> Vec<String> {
        let names = ["level.tasks", "level.interval", "level.rate", "level.word"];
        names.map(str::to_owned).to_vec()
    }

    fn pace(&self) -> f64 {
        10.0
    }
}

const SOUND: &str = r#"
scenario: worker-restart
level: 3
workload:
  count: "${level.tasks * 2}"
  rate: ${level.rate}
  delay: 2s-${paced(level.interval) * 2}
  completion: 20%..50%
  json: { task: "${id}", deep: [1, 2.5, true, null] }
storm:
  - kill: { on: worker, when: task_running, every: "${level.interval}", down: 3s }
  - cut: { link: "worker-1->db", down: 1m30s }
  - calm
checks: [no_task_lost, none_stuck, { api_success: { at_least: 95% } }, { recovery: { within: 30s } }]
env:
  WORD: "${level.word}"
  HOME: $${HOME}
services:
  worker:
    run: taskhub worker --listen ${self.addr}
    replicas:
"#;

const TWELVE: &str = r#"# One mistake on nearly every line.
scenario: 12
level: 9
workload:
  cuont: 40
  rate: 10
  delay: 30s-20s
  completion: half
storm:
  - kill: { on: worker, when: task_runing, dwon: 3s }
  - kil: { on: worker }
  - cut: { link: db }
  - kill:
    on: worker
  - calm: { for: 3s }
  - kill
checks:
  - no_task_lots
  - api_success: { at_least: 950% }
  - recovery: { within: }
  - 7
env: [A, B]
services:
  worker: { run: taskhub, links: db, replicas: "2" }
  server: { run: taskhub, replicas: -1 }
throughput: high
"#;

fn parse(text: &str) -> Document {
    Document::parse("sample.yaml", text).unwrap()
}

fn shown(result: Result<impl std::fmt::Debug, Mistakes>) -> String {
    let mistakes = result.unwrap_err();
    format!("{}\n{}", mistakes.plain(), mistakes.render(false, 100))
}

#[test]
fn a_sound_file_is_expanded_and_read() {
    let document = parse(SOUND).expand(&Three).unwrap();
    insta::assert_debug_snapshot!(document.read::<Sample>().unwrap());
}

#[test]
fn all_mistakes_are_found_in_one_pass_each_at_its_place() {
    insta::assert_snapshot!(shown(parse(TWELVE).read::<Sample>()));
}

#[test]
fn unknown_names_and_bad_expressions_are_all_reported() {
    let text = r#"
scenario: "${level.taks}"
workload: { count: "${level.tasks + 3s}", rate: "a ${lvel.rate + level.tsks} b ${self.port + 1}" }
env: { A: "${", B: "$${fine}", C: "${}", D: "\x24{level.none}" }
"#;
    insta::assert_snapshot!(shown(parse(text).expand(&Three)));
}

#[test]
fn what_is_not_plain_yaml_is_refused_with_its_place() {
    let broken = [
        "a: 1\nb: &x 2\nc: *x\nd: !!str 3\na: 4\n",
        "a: 1\n---\nb: 2\n",
        "a:\n\tb: 1\n",
        "a: { count: ${level.tasks} }\n",
        "a: [1, 2\n",
        "a: 'open\n",
        "? [a, b]\n: 1\n: 2\n",
        "é: 'ü\u{1F600}' x\n",
        "a: .inf\nb: 1e999\nc: .nan\n",
    ];
    let said = broken.map(|text| shown(Document::parse("broken.yaml", text)));
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn size_and_depth_are_bounded() {
    let long = "a".repeat(2 << 20);
    assert!(Document::parse("a", &long).is_err());
    let deep = |levels| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(Document::parse("a", &deep(64)).is_ok());
    assert!(Document::parse("a", &deep(65)).is_err());
    assert!(Document::parse("a", &deep(100_000)).is_err());
}

#[test]
fn an_empty_file_lacks_everything() {
    insta::assert_snapshot!(shown(parse("# nothing\n").read::<Sample>()));
}

#[test]
fn what_only_the_type_refuses_still_has_its_place() {
    let text = "scenario: a\nlevel: 1\nworkload: { count: 1 }\nservices:\n  db: { run: x, port: 80 }\n";
    insta::assert_snapshot!(shown(parse(text).read::<Sample>()));
}

#[test]
fn later_findings_are_placed_by_pointer() {
    let document = parse(SOUND);
    let pointers = [
        "/services/worker/run",
        "/storm/1/cut/link",
        "/storm/9/cut",
        "/workload",
        "",
        "nonsense",
    ];
    let at = |pointer: &str| {
        let value = document.mistake(pointer, format!("value of {pointer:?}"), None);
        let key = document.key_mistake(pointer, format!("key of {pointer:?}"), None);
        [value, key]
    };
    let list = pointers.into_iter().flat_map(at).collect();
    insta::assert_snapshot!(document.mistakes(list).render(false, 100));
}

#[test]
fn editors_get_the_same_schema_with_room_for_names() {
    insta::assert_json_snapshot!(published_schema::<Sample>("A sample"));
}
