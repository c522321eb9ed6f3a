//! Stages, and whether something may be deployed.

use super::place::Place;
use super::{err, out, said, script};

/// A calm scenario of a second, called as a bundled one is. It sends nothing at a fixed distance, so
/// that it can be judged on the busiest machine.
fn calm(name: &str) -> String {
    format!(
        "scenario: {name}\nhypothesis: It takes a task.\n\
         workload: {{ tasks: {{ count: 1, takes: 1s, deadline: 60s }} }}\n\
         checks: [no_task_lost, none_stuck]\n"
    )
}

/// A place whose own scenarios stand before the bundled ones.
fn place() -> Place {
    let place = Place::with_taskhub(super::BUILD);
    std::fs::create_dir(place.path().join("scenarios")).unwrap();
    for name in ["baseline", "db-failure"] {
        place.write(&format!("scenarios/{name}.yaml"), calm(name));
    }
    place
}

#[test]
fn a_stage_has_its_own_level_scenarios_and_limit() {
    let place = place();
    let mut command = place.squall(&["run", "--stage", "development", "--pace", "20"]);
    // What a stage decides need not be unset.
    let output = command
        .env("DIFFICULTY", "6")
        .env("SCENARIOS", "nonesuch")
        .output()
        .unwrap();
    said(
        &output,
        0,
        &[
            "stage development: level 1, scenarios baseline,db-failure, time limit 2 min",
            "✅ baseline: PASS",
            "✅ db-failure: PASS",
        ],
    );
    assert!(!err(&output).contains("more than its limit"));
    said(
        &place.output(&["run", "--stage", "devlopment"]),
        2,
        &["'devlopment'", "development", "production"],
    );
    said(
        &place.output(&["run", "--stage", "load", "-d", "2"]),
        2,
        &["--stage", "--difficulty"],
    );
}

#[test]
fn only_what_passed_every_level_may_be_deployed() {
    let validate = |place: &Place| {
        let scenario = place.path().join("scenarios/baseline.yaml").display().to_string();
        script(
            place,
            "deploy-validation.sh",
            &["--scenarios", &scenario, "--pace", "20"],
        )
        .output()
        .unwrap()
    };
    let good = validate(&place());
    said(&good, 0, &["✅ All chaos tests passed - ready for deployment"]);
    assert_eq!(out(&good).matches("✅ baseline: PASS").count(), 3);

    // Whatever keeps it from passing: a finding, or that nothing could be shown.
    let place = place();
    place.write("scenarios/baseline.yaml", "scenario: baseline\n");
    let bad = validate(&place);
    said(&bad, 1, &["❌ Chaos testing failed at level 1"]);
    assert_eq!(err(&bad).matches('×').count(), 1, "it stops at the first");
}
