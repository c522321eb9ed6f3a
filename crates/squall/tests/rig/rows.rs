//! The known defects of `systems/defects`: each with the bundled scenario that shows it, and what is found by then.
#![allow(dead_code, reason = "each user needs a part of it")]

/// A defect. Its system is `systems/defects/NAME.yaml`, the sound one beside it `NAME-control.yaml`.
#[derive(Debug)]
pub struct Row {
    /// Its name, also in tables.
    pub name: &'static str,
    /// What it is.
    pub what: &'static str,
    /// The bundled scenario, as it is; or one that lies beside the systems, as `NAME.yaml`.
    pub scenario: &'static str,
    /// What is said with `--set`.
    pub set: &'static [&'static str],
    /// A fault of that which not every machine can be made to feel.
    pub needs: Option<&'static str>,
    /// Which check finds it.
    pub check: &'static str,
    /// As what.
    pub class: &'static str,
}

/// All of them.
pub const ROWS: [Row; 8] = [
    Row {
        name: "k1",
        what: "acknowledged before it is on disk",
        scenario: "db-failure",
        set: &[],
        needs: None,
        check: "data_intact",
        class: "lost-ack",
    },
    Row {
        name: "k9",
        what: "a lock's holder is believed after its lease",
        scenario: "locks",
        set: &[],
        needs: None,
        check: "fenced",
        class: "unsafe-after-expiry",
    },
    Row {
        name: "k12",
        what: "read, then taken, without a lock",
        scenario: "baseline",
        // A queue with a backlog: without one, workers seldom look for the same job at the same moment.
        set: &["workers=8", "tasks=200", "task_time=500ms"],
        needs: None,
        check: "no_task_completed_twice",
        class: "double-commit",
    },
    Row {
        name: "k13",
        what: "done without asking whose it is",
        scenario: "worker-restart",
        set: &[],
        needs: None,
        check: "no_task_completed_twice",
        class: "double-commit",
    },
    Row {
        name: "k14",
        what: "taken by a state alone, without a lease",
        scenario: "worker-restart",
        set: &[],
        needs: None,
        check: "none_stuck",
        class: "stuck-task",
    },
    Row {
        name: "k19",
        what: "read, then written, in two steps",
        scenario: "counters",
        set: &[],
        needs: None,
        check: "counted",
        class: "lost-increment",
    },
    Row {
        name: "c7",
        what: "values have no checksum on their way to the database",
        scenario: "corruption.yaml",
        set: &[],
        needs: None,
        check: "data_intact",
        class: "corruption",
    },
    Row {
        name: "fsync",
        what: "never synced to the disk",
        scenario: "outage.yaml",
        set: &[],
        needs: Some("power_loss"),
        check: "no_task_lost",
        class: "lost-task",
    },
];

impl Row {
    /// What follows `squall`, but for seed and output.
    pub fn arguments(&self, control: bool) -> Vec<String> {
        let system = format!("systems/defects/{}.yaml", self.file(control));
        let scenario = match self.own_scenario() {
            Some(file) => file,
            None => self.scenario.to_owned(),
        };
        let words = ["run", "--system", &system, "-s", &scenario, "-d", "1", "--pace", "10"];
        let set = self.set.iter().flat_map(|value| ["--set", value]);
        words.into_iter().chain(set).map(str::to_owned).collect()
    }

    /// The file of its scenario, where that is no bundled one.
    pub fn own_scenario(&self) -> Option<String> {
        let own = self.scenario.ends_with(".yaml");
        own.then(|| format!("systems/defects/{}", self.scenario))
    }

    /// The name of its scenario.
    pub fn scenario_name(&self) -> &'static str {
        self.scenario.trim_end_matches(".yaml")
    }

    /// The system file's name, without its ending.
    pub fn file(&self, control: bool) -> String {
        format!("{}{}", self.name, if control { "-control" } else { "" })
    }
}

/// Of the normal distribution, for 95 %.
const Z: f64 = 1.96;

/// Wilson's score interval for `hits` of `all`: between which shares the true one lies, in 95 of 100 cases.
/// E. B. Wilson, "Probable inference, the law of succession, and statistical inference" (1927).
pub fn wilson(hits: usize, all: usize) -> (f64, f64) {
    let (share, all) = (hits as f64 / all as f64, all as f64);
    let centre = share + Z * Z / (2.0 * all);
    let half = Z * (share * (1.0 - share) / all + Z * Z / (4.0 * all * all)).sqrt();
    let of = 1.0 + Z * Z / all;
    ((centre - half) / of, (centre + half) / of)
}
