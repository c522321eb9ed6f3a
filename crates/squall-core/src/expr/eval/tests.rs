use super::*;
use proptest::prelude::*;

struct Level;

impl Scope for Level {
    fn lookup(&self, name: &str) -> Lookup {
        match name {
            "level.tasks" => Lookup::Known(Value::Num(40.0)),
            "level.wait" => Lookup::Known(Value::DurRange("20s-30s".parse().unwrap())),
            "level.name" => Lookup::Known(Value::Text("hard".to_owned())),
            name if name.starts_with("self.") => Lookup::Deferred,
            _ => Lookup::Unknown,
        }
    }

    fn names(&self) -> Vec<String> {
        ["level.tasks", "level.wait", "level.name"].map(str::to_owned).to_vec()
    }

    fn pace(&self) -> f64 {
        10.0
    }
}

fn says(text: &str) -> String {
    match eval(text, &Level) {
        Ok(Outcome::Value(value)) => value.to_string(),
        Ok(Outcome::Deferred) => "deferred".to_owned(),
        Err(troubles) => {
            let line = |it: &Trouble| match &it.help {
                Some(help) => format!("{:?} {} ({help})", it.at, it.message),
                None => format!("{:?} {}", it.at, it.message),
            };
            troubles.iter().map(line).collect::<Vec<_>>().join("; ")
        }
    }
}

#[test]
fn the_usual_precedence_holds() {
    assert_eq!(says("1 + 2 * 3 - 4 / 2"), "5");
    assert_eq!(says("(1 + 2) * -3"), "-9");
    assert_eq!(says("10 - 3 - 2"), "5");
    assert_eq!(says("level.tasks / 16"), "2.5");
}

#[test]
fn units_are_kept_through_arithmetic() {
    assert_eq!(says("1m30s + 30s"), "2m");
    assert_eq!(says("30s * 0.1"), "3s");
    assert_eq!(says("1m / 20s"), "3");
    assert_eq!(says("10/s * 2"), "20/s");
    assert_eq!(says("10/s * 3s"), "30");
    assert_eq!(says("30 / (10/s)"), "3s");
    assert_eq!(says("level.tasks * 50%"), "20");
    assert_eq!(says("60% + 40%"), "100%");
    assert_eq!(says("level.wait * 2"), "40s-1m");
}

#[test]
fn functions_work_on_values_of_one_kind() {
    assert_eq!(says("paced(2m)"), "12s");
    assert_eq!(says("paced(level.wait)"), "2s-3s");
    assert_eq!(says("paced(2s / 7)"), "28.571ms");
    assert_eq!(says("millis(1.5s)"), "1500");
    assert_eq!(says("millis(paced(2s / 7))"), "28.571");
    assert_eq!(says("seconds(1m)"), "60");
    assert_eq!(
        says("millis(3)"),
        "0..9 millis and seconds take a duration, not a number"
    );
    assert_eq!(says("min(3s, max(1s, 2s))"), "2s");
    assert_eq!(says("max(1, 50%)"), "0..11 a number and a percentage have no order");
}

#[test]
fn a_text_is_quoted_either_way() {
    assert_eq!(says("'a\"}'"), "a\"}");
    assert_eq!(says("level.name"), "hard");
}

#[test]
fn a_deferred_name_stands_alone() {
    assert_eq!(says(" self.addr "), "deferred");
    assert!(says("self.port + 1").contains("only known at run time"));
}

#[test]
fn what_goes_wrong_is_said_at_its_place() {
    let mistakes = [
        "",
        "1 +",
        "1 2",
        "(1",
        "* 2",
        "min(1)",
        "mni(1, 2)",
        "sleep(1)",
        "1 + 1s",
        "-5s",
        "1s - 2s",
        "1 / 0",
        "50% + 60% - 'x'",
        "level.taks + levle.wait",
        "1.2.3",
        "5d",
        "'a",
        "1 # 2",
        "1e300",
        "200%",
        "paced(3)",
        "true",
    ];
    let said: Vec<_> = mistakes.map(|text| format!("{text:24}| {}", says(text))).to_vec();
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn deep_nesting_and_long_sums_are_no_danger() {
    assert!(says(&"(".repeat(100_000)).contains("too deeply"));
    assert!(says(&"-".repeat(100_000)).contains("too deeply"));
    assert_eq!(says(&format!("0{}", "+1".repeat(100_000))), "100000");
    assert!(says(&format!("1{}", "0".repeat(400))).contains("not a number"));
    assert!(says(&format!("1{}", " * 9999999999".repeat(40))).contains("too large"));
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,40}|([0-9.]{1,4}|[smh%/+*(),'-]|min|max|paced|level.tasks){0,12}") {
        let _ = says(&text);
    }
}
