//! Journals made up event by event, and what judging says of them.

use std::collections::BTreeMap;

use squall_core::check::{Outcome as Came, Verdict};
use squall_core::contract::{Delivery, Ends, Object};
use squall_core::demand::{AtLeast, Completion, Deadline, Demand, Recovery, Within};
use squall_core::event::{
    Answer, End, Event, Fact, Header, Op, Outcome, Phase, Pulse, PulseOf, Record, Role, State, TaskEvent, TaskFact,
    Work,
};
use squall_core::journal::Journal;
use squall_core::judgement::{Judgement, judgement};
use squall_core::place::{Condition, Death, Instance, Place};
use squall_core::plan::{Hold, Plan, Start, Step};
use squall_core::system::{Facts, ObjectFacts, ServiceFacts, TaskFacts};
use squall_core::workload::PlannedTask;

use super::queue::{Gone, Job, Model};

pub const MS: u64 = 1_000_000;
pub const SEC: u64 = 1_000 * MS;

/// The kill of the sound run.
pub const KILL: Gone = Gone {
    from: 5_500 * MS,
    to: 6_700 * MS,
};
/// The database outage of the sound run; the readiness probe follows it by 100 ms both ways.
pub const OUTAGE: Gone = Gone {
    from: 9_000 * MS,
    to: 13_500 * MS,
};

/// A journal in the making: events with their times, in any order.
#[derive(Clone)]
pub struct Run {
    pub header: Header,
    pub facts: Vec<(u64, Fact)>,
}

pub fn instance(name: &str) -> Instance {
    name.parse().expect("an instance's name")
}

pub fn place(name: &str) -> Place {
    name.parse().expect("a place's name")
}

fn service(replicas: u32, links: &[&str]) -> ServiceFacts {
    ServiceFacts {
        replicas,
        links: links.iter().map(|link| (*link).to_owned()).collect(),
        preset: None,
        ready_within: 15 * SEC,
        restart_after: Some(200 * MS),
        disk: false,
    }
}

fn system() -> Facts {
    let kinds = [("work", Ends::Done), ("flaky", Ends::Done), ("failing", Ends::Dead)];
    Facts {
        name: "model".to_owned(),
        entry: "server".to_owned(),
        services: BTreeMap::from([
            ("db".to_owned(), service(1, &[])),
            ("server".to_owned(), service(1, &["db"])),
            ("worker".to_owned(), service(3, &["db"])),
        ]),
        health: true,
        breakers: false,
        alarms: Vec::new(),
        protect: Default::default(),
        budget: Default::default(),
        attached: None,
        objects: BTreeMap::from([
            (Object::Counter, ObjectFacts::default()),
            (Object::Lock, ObjectFacts { lease: Some(SEC) }),
        ]),
        tasks: Some(TaskFacts {
            lease: 2 * SEC,
            backoff: SEC,
            max_failures: 3,
            max_deaths: Some(5),
            effects: Delivery::AtLeastOnce,
            kinds: kinds.into_iter().map(|(kind, ends)| (kind.to_owned(), ends)).collect(),
            types: Default::default(),
            witnessed: true,
            called: Default::default(),
            create: "POST /tasks".to_owned(),
        }),
    }
}

pub fn step(entry: usize, service: &str, condition: Condition, hold: Hold) -> Step {
    Step {
        entry,
        fault: "kill".to_owned(),
        start: Start::At(0),
        or_done: None,
        aim: None,
        service: service.to_owned(),
        link_to: None,
        place: None,
        rank: 0,
        condition,
        hold,
    }
}

pub fn checks() -> Vec<Demand> {
    let within = |text: &str| Within {
        within: text.parse().expect("a duration"),
    };
    let at_least = |text: &str| AtLeast {
        at_least: text.parse().expect("a percentage"),
    };
    vec![
        Demand::ApiSuccess(at_least("95%")),
        Demand::AnsweredCorrectly(at_least("99%")),
        Demand::AnswersInTime(within("2s")),
        Demand::HealthTruthful(within("2s")),
        Demand::NoTaskLost,
        Demand::NoPhantomTask,
        Demand::NoTaskCompletedTwice,
        Demand::NoneStuck,
        Demand::Retried,
        Demand::DlqAccounted,
        Demand::Completion(Completion {
            share: "80%..".parse().expect("a range"),
        }),
        Demand::Deadline(Deadline { late_warns: false }),
        Demand::Recovery(Recovery {
            warn: "20s".parse().expect("a duration"),
            within: "30s".parse().expect("a duration"),
        }),
        Demand::DataIntact,
        Demand::WorkSpread,
    ]
}

fn header(jobs: &[Job], steps: Vec<Step>) -> Header {
    let tasks = jobs.iter().map(|job| PlannedTask {
        kind: kind(job).to_owned(),
        ms: job.takes / MS,
        mark: job.id.clone(),
    });
    Header {
        run: "run".to_owned(),
        squall: "0".to_owned(),
        opened: "2026-01-01T00:00:00Z".to_owned(),
        system: system(),
        plan: Plan {
            scenario: "model".to_owned(),
            hypothesis: "It holds.".to_owned(),
            level: 1,
            level_name: "basic".to_owned(),
            repeat: "squall run".to_owned(),
            seed: 1,
            pace: 1.0,
            jobs: 1,
            tasks: tasks.collect(),
            main_kind: Some("work".to_owned()),
            deadline: Some(14 * SEC),
            writes: Vec::new(),
            flood: None,
            bulky: None,
            clients: Vec::new(),
            replicas: Default::default(),
            api_every: Some(100 * MS),
            survey: false,
            reference: 3 * SEC,
            steady: 3 * SEC,
            lasts: 0,
            steps,
            scripts: Vec::new(),
            stop_when: Vec::new(),
            checks: checks(),
        },
    }
}

fn kind(job: &Job) -> &'static str {
    match job.fails {
        0 => "work",
        1 => "flaky",
        _ => "failing",
    }
}

/// An operation of 5 ms that was right.
pub fn op(name: &str, role: Role, due: u64) -> Op {
    Op {
        name: name.to_owned(),
        request: String::new(),
        role,
        due,
        call: due,
        ret: due + 5 * MS,
        outcome: Outcome::Ok,
        answer: Answer::Right,
        status: Some(200),
        fault: None,
        work: None,
        touch: None,
    }
}

pub fn record(task: &str, state: Option<State>) -> Fact {
    Fact::Record(Record {
        task: task.to_owned(),
        state,
        attempts: None,
        failures: None,
        deaths: None,
        reason: None,
        payload_crc32: Some(7),
    })
}

pub fn line(task: &str, attempt: u64, worker: &str, event: TaskEvent) -> Fact {
    Fact::Task(TaskFact {
        task: task.to_owned(),
        attempt,
        worker: worker.to_owned(),
        event,
        reason: (event == TaskEvent::Failed).then(|| "broke".to_owned()),
        dead: (event == TaskEvent::Failed).then_some(false),
        payload_crc32: (event == TaskEvent::Effect).then_some(7),
    })
}

impl Run {
    /// 16 tasks of 1 s, a flaky and a failing one on 3 workers; worker-1 killed in a task, later the
    /// database stopped for 4.5 s. Nothing is wrong.
    pub fn sound() -> Self {
        Self::lasting(20 * SEC)
    }

    /// The same with the audit only at `audit`.
    pub fn lasting(audit: u64) -> Self {
        let mut model = Model::plain(16, SEC, 3, 4 * SEC);
        for (id, fails) in [("flaky-0", 1), ("failing-0", 3)] {
            model.jobs.insert(
                2,
                Job {
                    id: id.to_owned(),
                    from: 4 * SEC + 10 * MS,
                    takes: 20 * MS,
                    fails,
                },
            );
        }
        model.workers[0].push(KILL);
        model.database.push(OUTAGE);
        Self::of(&model, audit)
    }

    /// The run of a model with the faults of [`Run::sound`] as far as the model has them.
    pub fn of(model: &Model, audit: u64) -> Self {
        let kill = step(0, "worker", Condition::Down(Death::Kill), Hold::For(SEC));
        let stop = step(1, "db", Condition::Down(Death::Stop), Hold::For(4 * SEC));
        let mut run = Self {
            header: header(&model.jobs, vec![kill, stop]),
            facts: Vec::new(),
        };
        run.phases(audit);
        run.start(model.workers.len());
        run.strike(0, "worker-1", KILL);
        run.strike(1, "db-1", OUTAGE);
        run.traffic(audit);
        run.work(model, audit);
        run
    }

    pub fn add(&mut self, at: u64, fact: Fact) {
        self.facts.push((at, fact));
    }

    fn phases(&mut self, audit: u64) {
        let phases = [
            (0, Phase::Start),
            (SEC, Phase::Reference),
            (4 * SEC, Phase::Storm),
            (15 * SEC, Phase::Calm),
            (19 * SEC, Phase::Drain),
            (audit, Phase::Audit),
        ];
        for (at, phase) in phases {
            self.add(at, Fact::Phase(phase));
        }
        self.add(audit + SEC, Fact::Closed { end: End::Complete });
    }

    pub fn start(&mut self, workers: usize) {
        let names = ["db-1".to_owned(), "server-1".to_owned()].into_iter();
        for name in names.chain((1..=workers).map(|n| format!("worker-{n}"))) {
            self.life(&name, 100 * MS, 500 * MS);
        }
    }

    pub fn life(&mut self, name: &str, started: u64, ready: u64) {
        self.started(name, started);
        let (instance, took) = (instance(name), ready - started);
        self.add(ready, Fact::Ready { instance, took });
    }

    /// A process that is not seen to become ready.
    pub fn started(&mut self, name: &str, at: u64) {
        let (instance, pid, restarts) = (instance(name), 1, 0);
        let fact = Fact::Started {
            instance,
            pid,
            restarts,
        };
        self.add(at, fact);
    }

    pub fn exit(&mut self, name: &str, at: u64, wanted: bool) {
        let how = "signal 9".to_owned();
        self.add(
            at,
            Fact::Exited {
                instance: instance(name),
                pid: 1,
                how,
                wanted,
            },
        );
    }

    /// Down from `gone.from` to `gone.to`, healed when ready.
    pub fn strike(&mut self, step: usize, name: &str, gone: Gone) {
        let condition = self.header.plan.steps[step].condition.clone();
        let place = place(name);
        let imposing = gone.from - 2 * MS;
        self.add(
            imposing,
            Fact::Imposing {
                step,
                place: place.clone(),
                condition,
            },
        );
        self.exit(name, gone.from, true);
        self.add(gone.from + MS, Fact::Imposed { step });
        self.add(gone.to - 500 * MS, Fact::Healing { step, place });
        self.life(name, gone.to - 490 * MS, gone.to);
        self.add(gone.to + MS, Fact::Healed { step });
    }

    /// Killed, and brought back by its own supervision: started and ready at `gone.to`.
    pub fn kill(&mut self, step: usize, name: &str, gone: Gone) {
        let condition = self.header.plan.steps[step].condition.clone();
        let place = place(name);
        self.add(
            gone.from - MS,
            Fact::Imposing {
                step,
                place: place.clone(),
                condition,
            },
        );
        self.exit(name, gone.from, true);
        self.add(gone.from + MS, Fact::Imposed { step });
        self.add(gone.to - 10 * MS, Fact::Healing { step, place });
        self.life(name, gone.to - 5 * MS, gone.to);
        self.add(gone.to + MS, Fact::Healed { step });
    }

    fn traffic(&mut self, audit: u64) {
        let refused = |at: u64| (OUTAGE.from + 100 * MS..OUTAGE.to + 100 * MS).contains(&at);
        self.add(600 * MS, Fact::Op(op("log in", Role::Session, 590 * MS)));
        self.add(
            audit + 100 * MS,
            Fact::Op(op("GET /auth/me", Role::Audit, audit + 90 * MS)),
        );
        for due in (SEC..19 * SEC).step_by(100 * MS as usize) {
            let mut op = op("GET /tasks", Role::Traffic, due);
            if refused(due) {
                op.answer = Answer::Refused;
                op.status = Some(503);
            }
            self.add(op.ret, Fact::Op(op));
        }
        for call in (SEC..19 * SEC).step_by(50 * MS as usize) {
            let ready = if refused(call) { Answer::Refused } else { Answer::Right };
            for (of, answer) in [(PulseOf::Ready, ready), (PulseOf::Live, Answer::Right)] {
                self.add(call + MS, Fact::Pulse(Pulse { of, call, answer }));
            }
        }
    }

    fn work(&mut self, model: &Model, audit: u64) {
        let (heard, states) = model.run();
        for (at, fact) in heard {
            self.add(at, Fact::Task(fact));
        }
        for (job, state) in model.jobs.iter().zip(states) {
            let mut create = op("create", Role::Create, job.from - 3 * MS);
            create.ret = job.from;
            create.work = Some(Work {
                kind: kind(job).to_owned(),
                task: Some(job.id.clone()),
                payload_crc32: 7,
                mark: job.id.clone(),
            });
            self.add(job.from, Fact::Op(create));
            let state = match state {
                "done" => State::Done,
                "dead" => State::Dead,
                "running" => State::Running,
                _ => State::Waiting,
            };
            for at in [19 * SEC + 500 * MS, audit + 200 * MS] {
                self.add(at, record(&job.id, Some(state)));
            }
        }
    }

    /// Changes every fact in place.
    pub fn each(&mut self, mut change: impl FnMut(u64, &mut Fact)) {
        self.facts.iter_mut().for_each(|(at, fact)| change(*at, fact));
    }

    /// Keeps the facts that fit.
    pub fn keep(&mut self, mut fits: impl FnMut(u64, &Fact) -> bool) {
        self.facts.retain(|(at, fact)| fits(*at, fact));
    }

    pub fn journal(&self) -> Journal {
        let mut facts = self.facts.clone();
        facts.sort_by_key(|(at, _)| *at);
        let opened = (0, Fact::Opened(Box::new(self.header.clone())));
        let numbered = [opened].into_iter().chain(facts).zip(1..);
        let events = numbered.map(|((at, fact), id)| Event { id, at, fact });
        Journal::new(events.collect()).expect("a journal in order")
    }

    pub fn judge(&self) -> Judgement {
        judgement(&self.journal().history())
    }

    pub fn verdict(&self, check: &str) -> Verdict {
        let mut verdicts = self.judge().verdicts.into_iter();
        verdicts
            .find(|verdict| verdict.check == check)
            .expect("a verdict of that check")
    }

    /// Leaves the sharing of work unjudged: a history from which attempts were taken out has workers that seem idle.
    pub fn without_spread(&mut self) {
        self.header
            .plan
            .checks
            .retain(|check| !matches!(check, Demand::WorkSpread));
    }

    /// The checks that failed, with their classes.
    pub fn findings(&self) -> Vec<(String, String)> {
        let verdicts = self.judge().verdicts.into_iter();
        verdicts
            .filter(|verdict| verdict.outcome == Came::Fail)
            .map(|verdict| (verdict.check, verdict.class.unwrap_or_default()))
            .collect()
    }

    /// Demands exactly these findings, each as `check: class`.
    #[track_caller]
    pub fn finds(&self, wanted: &[&str]) {
        let found: Vec<String> = self
            .findings()
            .iter()
            .map(|(check, class)| format!("{check}: {class}"))
            .collect();
        let says: Vec<_> = self
            .judge()
            .verdicts
            .into_iter()
            .map(|verdict| (verdict.check, verdict.says))
            .collect();
        assert_eq!(found, wanted, "{says:#?}");
    }
}
