//! Every rule finds what it is there for in a made-up source, and nothing in a sound one.

use super::rules;

fn listed() -> Vec<String> {
    rules::modules("//! Words.\n\npub mod low;\nmod middle;\npub mod high;\n")
}

#[test]
fn imports_that_go_down_are_found_however_they_are_written() {
    assert_eq!(listed(), ["low", "middle", "high"]);
    let order = |inside, text| rules::order(inside, inside, text, &listed());
    assert!(order("low.rs", "use crate::high::Thing;")[0].contains("`low` imports `high`"));
    assert_eq!(
        order("low/part.rs", "use crate::{\n    high::{A, B},\n    middle,\n};").len(),
        2
    );
    assert_eq!(order("low.rs", "fn f() { $crate::middle::g() }").len(), 1);
    assert_eq!(order("low.rs", "use super::high;").len(), 1);
    assert!(order("new.rs", "")[0].contains("list `new`"));
}

#[test]
fn imports_that_go_up_comments_and_tests_are_no_findings() {
    let order = |inside, text| rules::order(inside, inside, text, &listed());
    assert!(order("high.rs", "use crate::low::Thing;\nuse crate::{low, middle::{high}};").is_empty());
    assert!(order("low.rs", "//! See [`crate::high`].\npub(crate) fn f() {}").is_empty());
    assert!(order("low.rs", "#[cfg(test)]\nmod tests {\n    use crate::high;\n}").is_empty());
    assert!(order("low/part.rs", "use super::high;").is_empty());
    assert!(order("main.rs", "use crate::high;").is_empty());
}

#[test]
fn long_files_are_found_and_their_tests_do_not_count() {
    let long = "line\n".repeat(401);
    assert!(rules::length("a.rs", &long)[0].contains("401 lines"));
    let tested = format!("{}#[cfg(test)]\n{long}", "line\n".repeat(400));
    assert!(rules::length("a.rs", &tested).is_empty());
}

#[test]
fn names_that_say_nothing_are_found() {
    for path in [
        "a/src/foo/mod.rs",
        "a/src/utils.rs",
        "a/src/helpers/foo.rs",
        "a/src/common.rs",
    ] {
        assert_eq!(rules::name(path).len(), 1, "{path}");
    }
    assert!(rules::name("a/src/module/amount.rs").is_empty());
}

#[test]
fn unfinished_work_is_found_at_its_line() {
    let found = rules::unfinished(
        "a.rs",
        "fn f() {\n    todo!()\n}\n// FIXME\n#[ignore]\nfn g() { dbg!(1); }\n",
    );
    assert_eq!(found.len(), 4);
    assert!(found[0].starts_with("a.rs:2:"));
    assert!(rules::unfinished("a.rs", "let todo = 1;").is_empty());
}

#[test]
fn pauses_without_a_bound_are_found() {
    let bare = "async fn f() {\n    tokio::time::sleep(SECOND).await;\n}\n";
    assert_eq!(rules::waits("a.rs", bare).len(), 1);
    let endless = "fn f() {\n    loop {\n        if done() {\n            return;\n        }\n        thread::sleep(STEP);\n    }\n}\n";
    assert_eq!(rules::waits("a.rs", endless).len(), 1);
    let before = "fn f() {\n    for x in 0..3 {\n        g(x);\n    }\n    sleep(STEP);\n}\n";
    assert_eq!(rules::waits("a.rs", before).len(), 1);
}

#[test]
fn pauses_in_bounded_loops_are_no_findings() {
    let counted = "fn f() {\n    for _ in 0..100 {\n        if done() {\n            return;\n        }\n        sleep(STEP);\n    }\n}\n";
    assert!(rules::waits("a.rs", counted).is_empty());
    let timed = "fn f() {\n    loop {\n        assert!(start.elapsed() < MOST);\n        sleep(STEP);\n    }\n}\n";
    assert!(rules::waits("a.rs", timed).is_empty());
    assert!(rules::waits("a.rs", "// sleep(1)\nlet x = \"sleep(1)\";").is_empty());
}

#[test]
fn only_the_part_that_is_tests_is_asked_how_it_waits() {
    let text = "fn f() { sleep(PAUSE) }\n#[cfg(test)]\nmod tests {}\n";
    assert_eq!(rules::test_part("a/src/b.rs", text), "#[cfg(test)]\nmod tests {}\n");
    assert_eq!(rules::test_part("a/src/b.rs", "fn f() {}"), "");
    assert_eq!(rules::test_part("a/tests/b.rs", text), text);
}

#[test]
fn impure_crates_are_found_but_tests_may_use_them() {
    let toml =
        "[dependencies]\ntokio.workspace = true\nlibc = \"0.2\"\nserde = \"1\"\n[dev-dependencies]\nnix = \"1\"\n";
    let found = rules::pure("Cargo.toml", toml);
    assert_eq!(found.len(), 2);
    assert!(found[0].contains("`tokio`") && found[1].contains("`libc`"));
}

#[test]
fn knowing_the_planted_bug_is_found() {
    assert_eq!(rules::bug("a.rs", "env(\"TASKHUB_BUG\")").len(), 1);
    assert!(rules::bug("a.rs", "env(\"TASKHUB_LEASE\")").is_empty());
}

#[test]
fn scenarios_under_another_name_are_found() {
    assert_eq!(rules::scenario("scenarios/a.yaml", "scenario: b\n").len(), 1);
    assert_eq!(rules::scenario("scenarios/a.yaml", "hypothesis: x\n").len(), 1);
    assert!(rules::scenario("scenarios/a.yaml", "# About it.\nscenario: a\n").is_empty());
}

#[test]
fn pages_that_miss_or_invent_something_are_found() {
    let text = "# Faults\n\n## `kill`\n\n### `gone` and more\n";
    let found = rules::headings("faults.md", text, &["kill", "delay"]);
    assert_eq!(found.len(), 2);
    assert!(found[0].contains("`delay`") && found[1].contains("`gone`"));
    let found = rules::contents(
        "SUMMARY.md",
        "[A](a.md)\n[A again](a.md)\n[C](c.md)\n",
        &["a.md", "b.md"],
    );
    assert_eq!(found.len(), 3);
}

#[test]
fn an_architecture_page_that_is_long_or_stale_is_found() {
    assert_eq!(rules::page_length("A.md", &"line\n".repeat(151)).len(), 1);
    let look = |rows: &str| {
        rules::architecture(
            "A.md",
            &format!("## `crates/a`: words\n{rows}\n## Next\n| `x` |\n"),
            "crates/a",
            &listed(),
        )
    };
    assert!(look("| `low` | |\n| `middle` | |\n| `high` | |").is_empty());
    assert!(look("| `low` | |\n| `high` | |")[0].contains("add a row"));
    assert!(look("| `low` | |\n| `middle` | |\n| `high` | |\n| `gone` | |")[0].contains("no module `gone`"));
    assert!(look("| `middle` | |\n| `low` | |\n| `high` | |")[0].contains("order"));
    assert_eq!(rules::architecture("A.md", "", "crates/a", &listed()).len(), 1);
}

#[test]
fn paths_of_one_machine_are_found() {
    let text = ["fine\nsee ", "/", "work/x and /home/x\n"].concat();
    assert_eq!(rules::machine("a.md", &text).len(), 1);
    assert!(rules::machine("a.md", "the network/ folder\n").is_empty());
}
