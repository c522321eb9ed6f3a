//! Three made-up runs, realistic enough to be looked at: one that passes, one with findings, one that proves nothing.
//! Shared by the tests of the formats and by the example that writes a page to look at.

#![allow(dead_code, reason = "the example needs less of it than the tests")]

use std::collections::BTreeMap;

use squall_core::advice::advice;
use squall_core::amount::{Dur, Percent, PercentRange};
use squall_core::check::{Outcome, Verdict};
use squall_core::clock::{Clock, Origin};
use squall_core::contract::{Delivery, Ends};
use squall_core::demand::{AtLeast, Completion, Deadline, Demand, Recovery, Within};
use squall_core::event::{
    Answer, End, Event, EventId, Fact, Header, LinkCounts, Op, Phase, Pulse, PulseOf, Record, Role, State, TaskEvent,
    TaskFact, Usage, Work,
};
use squall_core::journal::Journal;
use squall_core::judgement::Judgement;
use squall_core::place::{Condition, Death, Instance, Place};
use squall_core::plan::{Hold, Plan, Start, Step};
use squall_core::proof::Proof;
use squall_core::report::{Report, report_of};
use squall_core::system::{Facts, Preset, ServiceFacts, TaskFacts};
use squall_core::workload::PlannedTask;

const MS: u64 = 1_000_000;

/// The runs and what they showed.
pub fn report() -> (Report, Vec<Journal>) {
    let (chaos, chaos_says) = multi_worker_chaos();
    let (failure, failure_says) = db_failure();
    let (restart, restart_says) = worker_restart();
    let report = report_of(&[(&chaos, chaos_says), (&failure, failure_says), (&restart, restart_says)]);
    (report, vec![chaos, failure, restart])
}

/// Facts in any order; a journal once they are sorted.
struct Run {
    facts: Vec<(u64, Fact)>,
    dice: u64,
    /// From, to, and what clients get meanwhile.
    outages: Vec<(u64, u64, Answer)>,
}

impl Run {
    fn new(header: Header) -> Self {
        Self {
            facts: vec![(0, Fact::Opened(Box::new(header)))],
            dice: 7,
            outages: Vec::new(),
        }
    }

    fn add(&mut self, at_ms: u64, fact: Fact) {
        self.facts.push((at_ms * MS, fact));
    }

    /// A number below `below`, the same in every run of the tests.
    fn roll(&mut self, below: u64) -> u64 {
        self.dice = self
            .dice
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.dice >> 33) % below
    }

    fn phases(&mut self, begin_ms: [u64; 6]) {
        let phases = [
            Phase::Start,
            Phase::Reference,
            Phase::Storm,
            Phase::Calm,
            Phase::Drain,
            Phase::Audit,
        ];
        for (phase, at) in phases.into_iter().zip(begin_ms) {
            self.add(at, Fact::Phase(phase));
        }
    }

    fn life(&mut self, name: &str, pid: u32, from_ms: u64, to: Option<(u64, &str, bool)>) {
        let instance = instance(name);
        let restarts = u32::from(from_ms > 2_000);
        self.add(
            from_ms,
            Fact::Started {
                instance: instance.clone(),
                pid,
                restarts,
            },
        );
        let took = 60 + self.roll(200);
        self.add(
            from_ms + took,
            Fact::Ready {
                instance: instance.clone(),
                took: took * MS,
            },
        );
        self.log(name, from_ms + took, "INFO ready");
        if let Some((at, how, wanted)) = to {
            self.add(
                at,
                Fact::Exited {
                    instance,
                    pid,
                    how: how.to_owned(),
                    wanted,
                },
            );
        }
    }

    fn log(&mut self, name: &str, at_ms: u64, line: &str) {
        self.add(
            at_ms,
            Fact::Log {
                instance: instance(name),
                line: line.to_owned(),
            },
        );
    }

    fn strike(&mut self, step: usize, place: &str, condition: Condition, at_ms: [u64; 3]) {
        let place: Place = place.parse().expect("a place");
        let [imposing, healing, healed] = at_ms;
        self.add(
            imposing,
            Fact::Imposing {
                step,
                place: place.clone(),
                condition,
            },
        );
        self.add(imposing + 4, Fact::Imposed { step });
        self.add(healing, Fact::Healing { step, place });
        self.add(healed, Fact::Healed { step });
    }

    fn answer(&self, at_ms: u64) -> Answer {
        let hit = self.outages.iter().find(|(from, to, _)| (*from..*to).contains(&at_ms));
        hit.map_or(Answer::Right, |outage| outage.2)
    }

    fn traffic(&mut self, from_ms: u64, to_ms: u64, every_ms: u64) {
        for (nth, due) in (from_ms..to_ms)
            .step_by(usize::try_from(every_ms).expect("small"))
            .enumerate()
        {
            let answer = self.answer(due);
            let took = match answer {
                Answer::Right => 2 + self.roll(9) + if self.roll(40) == 0 { 70 } else { 0 },
                Answer::Refused => 300 + self.roll(400),
                Answer::Hung => 5_000,
                Answer::Wrong | Answer::Down => 1,
            };
            let name = ["GET /health", "GET /tasks/stats", "GET /auth/me"][nth % 3];
            self.op(name, (due, took), answer, None);
        }
    }

    fn op(&mut self, name: &str, (due, took): (u64, u64), answer: Answer, work: Option<Work>) {
        let (outcome, status) = match answer {
            Answer::Right => (squall_core::event::Outcome::Ok, Some(200)),
            Answer::Refused => (squall_core::event::Outcome::Failed, Some(503)),
            Answer::Wrong => (squall_core::event::Outcome::Unknown, Some(500)),
            Answer::Hung => (squall_core::event::Outcome::Unknown, None),
            Answer::Down => (squall_core::event::Outcome::Failed, None),
        };
        let fault = match answer {
            Answer::Right => None,
            Answer::Refused => Some("database unavailable".to_owned()),
            Answer::Wrong => Some("expected 200, got 500".to_owned()),
            Answer::Hung => Some("no answer within 5 s".to_owned()),
            Answer::Down => Some("connection refused".to_owned()),
        };
        let role = if work.is_some() { Role::Create } else { Role::Traffic };
        let op = Op {
            name: name.to_owned(),
            request: String::new(),
            role,
            due: due * MS,
            call: due * MS + 40_000,
            ret: (due + took) * MS,
            outcome,
            answer,
            status,
            fault,
            work,
            touch: None,
        };
        self.add(due + took, Fact::Op(op));
    }

    fn create(&mut self, at_ms: u64, task: &str, kind: &str) {
        let work = Work {
            kind: kind.to_owned(),
            task: Some(task.to_owned()),
            payload_crc32: 0x5eed,
            mark: format!("mark-{task}"),
        };
        self.op("create", (at_ms, 6), Answer::Right, Some(work));
    }

    /// An attempt's events: its start, and what came of it.
    fn attempt(&mut self, task: &str, attempt: u64, worker: &str, events: &[(u64, TaskEvent)]) {
        for (at, event) in events {
            let failed = *event == TaskEvent::Failed;
            let fact = TaskFact {
                task: task.to_owned(),
                attempt,
                worker: worker.to_owned(),
                event: *event,
                reason: failed.then(|| "flaky <b>by design</b>".to_owned()),
                dead: failed.then_some(false),
                payload_crc32: (*event == TaskEvent::Effect).then_some(0x5eed),
            };
            self.add(*at, Fact::Task(fact));
        }
    }

    /// A whole attempt that commits.
    fn works(&mut self, task: &str, attempt: u64, worker: &str, (from, to): (u64, u64)) {
        let events = [
            (from, TaskEvent::Start),
            (to - 6, TaskEvent::Effect),
            (to, TaskEvent::Committed),
        ];
        self.attempt(task, attempt, worker, &events);
    }

    fn record(&mut self, at_ms: u64, task: &str, state: Option<State>) {
        let record = Record {
            task: task.to_owned(),
            state,
            attempts: Some(1),
            failures: None,
            deaths: None,
            reason: None,
            payload_crc32: state.map(|_| 0x5eed),
        };
        self.add(at_ms, Fact::Record(record));
    }

    fn pulses(&mut self, from_ms: u64, to_ms: u64) {
        for at in (from_ms..to_ms).step_by(50) {
            for of in [PulseOf::Live, PulseOf::Ready] {
                let answer = match (self.answer(at), of) {
                    (Answer::Down, _) => Answer::Down,
                    (Answer::Right, _) | (_, PulseOf::Live) => Answer::Right,
                    _ => Answer::Refused,
                };
                self.add(
                    at + 1,
                    Fact::Pulse(Pulse {
                        of,
                        call: at * MS,
                        answer,
                    }),
                );
            }
        }
    }

    /// Looks every 250 ms outside `gone`.
    fn usage(&mut self, name: &str, base_kib: u64, to_ms: u64, gone: Option<(u64, u64)>) {
        for at in (500..to_ms).step_by(250) {
            if gone.is_some_and(|(from, to)| (from..to).contains(&at)) {
                continue;
            }
            let usage = Usage {
                instance: instance(name),
                cpu_us: 4_000 + self.roll(30_000),
                rss_kib: base_kib + at / 40 + self.roll(400),
                fds: 12 + u32::try_from(self.roll(9)).expect("small"),
            };
            self.add(at, Fact::Usage(usage));
            if name == "db-1" {
                let open = 6 + u32::try_from(self.roll(5)).expect("small");
                self.add(
                    at,
                    Fact::Connections {
                        instance: instance(name),
                        open,
                    },
                );
            }
        }
    }

    fn close(mut self, at_ms: u64) -> Journal {
        self.add(at_ms, Fact::Closed { end: End::Complete });
        self.facts.sort_by_key(|(at, _)| *at);
        let events = (1..).zip(self.facts).map(|(id, (at, fact))| Event { id, at, fact });
        Journal::new(events.collect()).expect("a journal in order")
    }
}

fn instance(name: &str) -> Instance {
    name.parse().expect("an instance's name")
}

fn service(replicas: u32, links: &[&str], preset: Option<Preset>) -> ServiceFacts {
    ServiceFacts {
        replicas,
        links: links.iter().map(ToString::to_string).collect(),
        preset,
        ready_within: 15_000 * MS,
        restart_after: Some(200 * MS),
        disk: false,
    }
}

fn header(plan: Plan, opened: &str) -> Header {
    let services = [
        ("db", service(1, &[], Some(Preset::Postgres))),
        ("server", service(1, &["db"], None)),
        ("worker", service(3, &["db"], None)),
    ];
    Header {
        run: format!("20260301-{}-{}", plan.scenario, plan.seed),
        squall: "0.1.0".to_owned(),
        opened: opened.to_owned(),
        system: Facts {
            name: "taskhub".to_owned(),
            entry: "server".to_owned(),
            services: services
                .into_iter()
                .map(|(name, facts)| (name.to_owned(), facts))
                .collect(),
            health: true,
            breakers: false,
            alarms: Vec::new(),
            protect: Default::default(),
            budget: Default::default(),
            objects: Default::default(),
            attached: None,
            tasks: Some(TaskFacts {
                lease: 2_000 * MS,
                backoff: 5_000 * MS,
                max_failures: 3,
                max_deaths: Some(20),
                effects: Delivery::AtLeastOnce,
                kinds: BTreeMap::from([("work".to_owned(), Ends::Done)]),
                types: Default::default(),
                witnessed: true,
                called: Default::default(),
                create: "POST /tasks".to_owned(),
            }),
        },
        plan,
    }
}

fn plan(scenario: &str, hypothesis: &str, steps: Vec<Step>, checks: Vec<Demand>) -> Plan {
    Plan {
        scenario: scenario.to_owned(),
        hypothesis: hypothesis.to_owned(),
        level: 2,
        level_name: "light disruption".to_owned(),
        repeat: format!("squall run -s {scenario} -d 2 --seed 42 --pace 2"),
        seed: 42,
        pace: 2.0,
        jobs: 1,
        tasks: Vec::new(),
        main_kind: None,
        deadline: None,
        writes: Vec::new(),
        flood: None,
        bulky: None,
        clients: Vec::new(),
        replicas: Default::default(),
        api_every: Some(100 * MS),
        survey: false,
        reference: 2_000 * MS,
        steady: 1_500 * MS,
        lasts: 12_000 * MS,
        steps,
        scripts: Vec::new(),
        stop_when: Vec::new(),
        checks,
    }
}

fn step(entry: usize, fault: &str, service: &str, condition: Condition) -> Step {
    Step {
        entry,
        fault: fault.to_owned(),
        start: Start::At(2_000 * MS),
        or_done: None,
        aim: None,
        service: service.to_owned(),
        link_to: None,
        place: None,
        rank: 1,
        condition,
        hold: Hold::For(3_000 * MS),
    }
}

fn percent(hundredths: f64) -> Percent {
    Percent::new(hundredths).expect("a share")
}

/// The first event of this kind.
fn event(journal: &Journal, is: impl Fn(&Fact) -> bool) -> EventId {
    journal
        .events()
        .iter()
        .find(|event| is(&event.fact))
        .expect("such an event")
        .id
}

fn proof(seen: bool, says: &str, evidence: Vec<EventId>) -> Proof {
    Proof {
        seen,
        says: says.to_owned(),
        evidence,
    }
}

fn clock(step: usize, place: &str, origin: Origin, times: [Option<u64>; 4]) -> Clock {
    let [from, detected, serving, steady] = times.map(|time| time.map(|ms| ms * MS));
    Clock {
        step,
        place: place.parse().expect("a place"),
        origin,
        from: from.expect("a beginning"),
        detected,
        serving,
        steady,
        expected: true,
    }
}

/// Three workers and ten tasks: one worker is killed over a task, one is frozen longer than its lease, one task fails once.
fn multi_worker_chaos() -> (Journal, Judgement) {
    let checks = vec![
        Demand::NoTaskLost,
        Demand::NoTaskCompletedTwice,
        Demand::NoneStuck,
        Demand::Retried,
        Demand::Completion(Completion {
            share: PercentRange::new(percent(85.0), Percent::ALL).expect("a range"),
        }),
        Demand::Deadline(Deadline { late_warns: true }),
        Demand::Recovery(Recovery {
            warn: Dur::secs(20),
            within: Dur::secs(30),
        }),
    ];
    let steps = vec![
        step(0, "kill", "worker", Condition::Down(Death::Kill)),
        step(1, "freeze", "worker", Condition::Frozen),
    ];
    let mut plan = plan(
        "multi-worker-chaos",
        "Workers that die or freeze mid-task lose no task and complete none twice.",
        steps,
        checks.clone(),
    );
    plan.tasks = (1..=10)
        .map(|task| PlannedTask {
            kind: "work".to_owned(),
            ms: 1_500,
            mark: format!("mark-t{task:02}"),
        })
        .collect();
    plan.main_kind = Some("work".to_owned());
    plan.deadline = Some(22_500 * MS);
    let mut run = Run::new(header(plan, "2026-03-01T10:00:00Z"));
    run.phases([0, 900, 3_000, 12_500, 14_600, 15_200]);
    lives(&mut run, 16_400);
    run.life("worker-1", 201, 250, Some((5_204, "signal 9", true)));
    run.life("worker-1", 204, 6_700, Some((16_200, "signal 15", true)));
    run.life("worker-2", 202, 260, Some((16_200, "signal 15", true)));
    run.life("worker-3", 203, 270, Some((16_200, "signal 15", true)));
    run.traffic(900, 15_200, 100);
    run.pulses(900, 15_200);
    attempts(&mut run);
    run.strike(0, "worker-1", Condition::Down(Death::Kill), [5_200, 6_690, 6_920]);
    run.strike(1, "worker-2", Condition::Frozen, [8_300, 11_300, 11_310]);
    run.log("worker-2", 8_200, "INFO task t07 attempt 1 begun");
    run.log(
        "worker-2",
        11_330,
        "WARN lost the lease of t07 while away, giving it up",
    );
    run.log(
        "server-1",
        5_600,
        "ERROR heartbeat of worker-1 is overdue <script>alert(1)</script>",
    );
    for (name, gone) in [
        ("worker-1", Some((5_200, 6_900))),
        ("worker-2", None),
        ("server-1", None),
        ("db-1", None),
    ] {
        run.usage(name, 14_000, 16_000, gone);
    }
    let journal = run.close(16_500);
    let judgement = passed(&journal, &checks);
    (journal, judgement)
}

fn lives(run: &mut Run, end_ms: u64) {
    run.life("db-1", 101, 10, Some((end_ms, "exit code 0", true)));
    run.life("server-1", 102, 120, Some((end_ms, "signal 15", true)));
}

fn attempts(run: &mut Run) {
    for task in 1..=10 {
        run.create(3_000 + task * 8, &format!("t{task:02}"), "work");
    }
    run.works("t01", 1, "worker-1", (3_120, 4_630));
    run.works("t02", 1, "worker-2", (3_125, 4_640));
    run.works("t03", 1, "worker-3", (3_130, 4_650));
    run.attempt("t04", 1, "worker-1", &[(4_640, TaskEvent::Start)]);
    run.works("t05", 1, "worker-2", (4_650, 6_160));
    run.attempt(
        "t06",
        1,
        "worker-3",
        &[(4_660, TaskEvent::Start), (5_400, TaskEvent::Failed)],
    );
    run.works("t08", 1, "worker-3", (5_410, 6_930));
    run.works("t09", 1, "worker-2", (6_170, 7_680));
    run.works("t06", 2, "worker-3", (6_950, 8_460));
    run.works("t04", 2, "worker-1", (7_210, 8_720));
    run.attempt("t07", 1, "worker-2", &[(7_690, TaskEvent::Start)]);
    run.works("t10", 1, "worker-3", (8_480, 9_990));
    run.works("t07", 2, "worker-1", (10_420, 11_930));
    for task in 1..=10 {
        run.record(15_300 + task, &format!("t{task:02}"), Some(State::Done));
    }
}

fn passed(journal: &Journal, checks: &[Demand]) -> Judgement {
    let killed = event(
        journal,
        |fact| matches!(fact, Fact::Exited { how, .. } if how == "signal 9"),
    );
    let frozen = event(journal, |fact| matches!(fact, Fact::Imposed { step: 1 }));
    let says = [
        "10 of 10 acknowledged tasks are done with their effect",
        "10 tasks have one commit each",
        "nothing ran or waited after the calm",
        "3 of 3 attempts that failed or were interrupted have a successor",
        "10 of 10 tasks (100%) were done by the deadline, 85%.. were demanded",
        "10 of 10 tasks were done by the deadline",
        "2 of 2 strikes were recovered from; the slowest took 2.01 s ± 10 ms",
    ];
    let verdicts = checks
        .iter()
        .zip(says)
        .map(|(demand, says)| Verdict::pass(demand, 10, says))
        .collect();
    Judgement {
        outcome: Outcome::Pass,
        verdicts,
        unjudged: Vec::new(),
        proofs: vec![
            proof(
                true,
                "its process ended by signal 9 while it ran task t04",
                vec![killed],
            ),
            proof(
                true,
                "nothing was heard of worker-2 for 3.02 s, longer than its lease",
                vec![frozen],
            ),
        ],
        clocks: vec![
            clock(
                0,
                "worker-1",
                Origin::Death,
                [Some(5_204), Some(12), Some(2_010), Some(3_400)],
            ),
            clock(
                1,
                "worker-2",
                Origin::Heal,
                [Some(11_310), Some(2_050), Some(20), Some(1_500)],
            ),
        ],
        doubts: Vec::new(),
        signs: Vec::new(),
    }
}

/// The database is gone for four seconds: it is honestly refused at first, then requests hang, and one write is lost.
fn db_failure() -> (Journal, Judgement) {
    let checks = vec![
        Demand::ApiSuccess(AtLeast {
            at_least: percent(95.0),
        }),
        Demand::AnswersInTime(Within { within: Dur::secs(2) }),
        Demand::HealthTruthful(Within { within: Dur::secs(2) }),
        Demand::DataIntact,
    ];
    let steps = vec![step(0, "stop", "db", Condition::Down(Death::Stop))];
    let plan = plan(
        "db-failure",
        "With the database gone, every request is refused within 2 s, and no acknowledged row is lost.",
        steps,
        checks.clone(),
    );
    let mut run = Run::new(header(plan, "2026-03-01T10:00:20Z"));
    run.phases([0, 900, 3_000, 10_500, 12_000, 12_400]);
    run.life("db-1", 301, 10, Some((5_020, "exit code 0", true)));
    run.life("db-1", 305, 9_000, Some((13_100, "exit code 0", true)));
    run.life("server-1", 302, 200, Some((13_050, "signal 15", true)));
    run.outages = vec![
        (5_000, 7_000, Answer::Refused),
        (7_000, 8_200, Answer::Hung),
        (8_200, 8_600, Answer::Wrong),
        (8_600, 9_400, Answer::Refused),
    ];
    run.traffic(900, 12_300, 100);
    run.pulses(900, 12_300);
    for task in 1..=8 {
        run.create(3_100 + task * 200, &format!("w{task}"), "write");
        run.record(12_400 + task, &format!("w{task}"), (task != 6).then_some(State::Done));
    }
    run.strike(0, "db-1", Condition::Down(Death::Stop), [5_000, 9_000, 9_260]);
    for at in (5_050..9_300).step_by(15) {
        let line = if at % 45 == 10 {
            "ERROR pool: connection refused"
        } else {
            "INFO retrying"
        };
        run.log("server-1", at, line);
    }
    run.log("db-1", 5_010, "LOG: received fast shutdown request | shutting down");
    run.usage("server-1", 22_000, 13_000, None);
    run.usage("db-1", 48_000, 13_000, Some((5_000, 9_250)));
    let journal = run.close(13_200);
    let judgement = failed(&journal, &checks);
    (journal, judgement)
}

fn failed(journal: &Journal, checks: &[Demand]) -> Judgement {
    let hung: Vec<EventId> = journal
        .events()
        .iter()
        .filter(|event| matches!(&event.fact, Fact::Op(op) if op.answer == Answer::Hung))
        .map(|event| event.id)
        .collect();
    let lost = event(
        journal,
        |fact| matches!(fact, Fact::Record(record) if record.state.is_none()),
    );
    let gone = event(journal, |fact| matches!(fact, Fact::Exited { .. }));
    let mut verdicts = vec![
        Verdict::pass(&checks[0], 72, "72 of 72 answers outside outages were right"),
        Verdict::fail(
            &checks[1],
            "hung",
            hung,
            "12 of 42 requests inside the outage had no answer within 2 s",
        ),
        Verdict::pass(&checks[2], 2, "ready turned false after 0.05 s and true after 0.14 s")
            .warn(Some("the health check took 0.7 s at worst".to_owned())),
        Verdict::fail(
            &checks[3],
            "lost-ack",
            vec![lost],
            "1 of 8 acknowledged tasks is missing at the audit: w6",
        ),
    ];
    for verdict in &mut verdicts {
        verdict.advice = advice(verdict, &journal.history());
    }
    Judgement {
        outcome: Outcome::Fail,
        verdicts,
        unjudged: Vec::new(),
        proofs: vec![proof(
            true,
            "its process ended, and 42 requests met the outage",
            vec![gone],
        )],
        clocks: vec![clock(
            0,
            "db-1",
            Origin::Heal,
            [Some(9_260), Some(30), Some(140), Some(1_640)],
        )],
        doubts: Vec::new(),
        signs: Vec::new(),
    }
}

/// The kill struck nobody who worked, so nothing was shown.
fn worker_restart() -> (Journal, Judgement) {
    let checks = vec![Demand::NoTaskLost, Demand::NoneStuck];
    let mut cut = step(0, "kill", "worker", Condition::Down(Death::Kill));
    cut.hold = Hold::Restart(1_500 * MS);
    let plan = plan(
        "worker-restart",
        "A queue survives its workers.",
        vec![cut],
        checks.clone(),
    );
    let mut run = Run::new(header(plan, "2026-03-01T10:00:40Z"));
    run.phases([0, 900, 3_000, 6_000, 6_800, 7_000]);
    lives(&mut run, 7_400);
    run.life("worker-1", 401, 250, Some((4_003, "signal 9", true)));
    run.life("worker-1", 402, 5_500, Some((7_300, "signal 15", true)));
    run.traffic(900, 7_000, 100);
    run.strike(0, "worker-1", Condition::Down(Death::Kill), [4_000, 5_490, 5_700]);
    let place: Place = "worker-1->db".parse().expect("a link");
    run.add(
        5_710,
        Fact::Traffic {
            step: 0,
            place,
            counts: LinkCounts::default(),
        },
    );
    let journal = run.close(7_500);
    let judgement = Judgement {
        outcome: Outcome::Inconclusive,
        verdicts: vec![
            Verdict::inconclusive(&checks[0], "no task was acknowledged"),
            Verdict::pass(&checks[1], 0, "nothing ran or waited after the calm"),
        ],
        unjudged: Vec::new(),
        proofs: vec![proof(false, "no kill hit a running task", Vec::new())],
        clocks: vec![Clock {
            expected: false,
            ..clock(0, "worker-1", Origin::Death, [Some(4_003), Some(9), None, None])
        }],
        doubts: vec!["no kill hit a running task".to_owned()],
        signs: Vec::new(),
    };
    (journal, judgement)
}

/// A run with so many attempts and far too many log lines, for the bounds of a page.
pub fn long(tasks: u64) -> Journal {
    let steps = vec![step(0, "stop", "db", Condition::Down(Death::Stop))];
    let plan = plan("task-flood", "A flood is worked off.", steps, vec![Demand::NoTaskLost]);
    let mut run = Run::new(header(plan, "2026-03-01T11:00:00Z"));
    let end = tasks * 10 + 2_000;
    run.phases([0, 500, 1_000, end, end + 1_000, end + 2_000]);
    for task in 0..tasks {
        let from = 1_000 + task * 10;
        let name = format!("task-{task:06}");
        run.create(from, &name, "work");
        run.works(&name, 1, &format!("worker-{}", task % 3 + 1), (from + 20, from + 45));
    }
    run.strike(0, "db-1", Condition::Down(Death::Stop), [5_000, 9_000, 9_260]);
    for line in 0..4_000 {
        run.log(
            "server-1",
            4_500 + line,
            &format!("ERROR {line} {}", "long ".repeat(90)),
        );
    }
    for name in ["server-1", "worker-1", "worker-2", "worker-3"] {
        run.usage(name, 20_000, end, None);
    }
    run.close(end + 3_000)
}

/// The passing run with a deadline so early that four of its ten tasks are late.
pub fn late(share: &str) -> Report {
    let (journal, says) = multi_worker_chaos();
    let mut events = journal.events().to_vec();
    if let Fact::Opened(header) = &mut events[0].fact {
        header.plan.deadline = Some(5_000 * MS);
        header.plan.checks = vec![Demand::Completion(Completion {
            share: share.parse().expect("a range"),
        })];
    }
    report_of(&[(&Journal::new(events).expect("a journal"), says)])
}
