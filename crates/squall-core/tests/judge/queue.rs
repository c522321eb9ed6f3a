//! A small model of a task queue under faults: leases, retries, kills and database outages.
//! It shares no code with the checks; its lines are what a witness of such a system would hear.

use squall_core::event::{TaskEvent, TaskFact};

use super::run::{MS, SEC};

/// One task of the model.
#[derive(Clone)]
pub struct Job {
    pub id: String,
    pub from: u64,
    pub takes: u64,
    /// So many attempts fail first.
    pub fails: u64,
}

/// A worker is down, or the database is, in this time.
#[derive(Clone, Copy)]
pub struct Gone {
    pub from: u64,
    pub to: u64,
}

#[derive(Clone)]
pub struct Model {
    pub jobs: Vec<Job>,
    /// For each worker: when it is down. It begins to claim `STARTUP` after.
    pub workers: Vec<Vec<Gone>>,
    pub database: Vec<Gone>,
    pub lease: u64,
    pub backoff: u64,
    pub max_failures: u64,
    pub prefetch: usize,
    pub until: u64,
}

const STEP: u64 = 5 * MS;
const STARTUP: u64 = 80 * MS;

#[derive(Clone)]
struct Row {
    free_at: u64,
    attempt: u64,
    failures: u64,
    over: bool,
    /// Renewed by this holder until it dies.
    held: Option<usize>,
}

struct Hand {
    batch: Vec<(usize, u64)>,
    running: Option<(usize, u64, u64)>,
}

impl Model {
    /// What the witness hears, in order; and each task's state at the end.
    pub fn run(&self) -> (Vec<(u64, TaskFact)>, Vec<&'static str>) {
        let mut rows = vec![
            Row {
                free_at: 0,
                attempt: 0,
                failures: 0,
                over: false,
                held: None
            };
            self.jobs.len()
        ];
        let mut states = vec!["waiting"; self.jobs.len()];
        let mut hands: Vec<Hand> = self
            .workers
            .iter()
            .map(|_| Hand {
                batch: Vec::new(),
                running: None,
            })
            .collect();
        let mut heard = Vec::new();
        let mut now = 0;
        while now < self.until && !rows.iter().all(|row| row.over) {
            let database = !self.database.iter().any(|gone| gone.from <= now && now < gone.to);
            for (worker, hand) in hands.iter_mut().enumerate() {
                let down = &self.workers[worker];
                if down.iter().any(|gone| gone.from <= now && now < gone.to + STARTUP) {
                    let held = hand.running.take().map(|running| running.0).into_iter();
                    for task in held.chain(hand.batch.drain(..).map(|(task, _)| task)) {
                        rows[task].held = None;
                        rows[task].free_at = now + self.lease;
                        states[task] = "running";
                    }
                    continue;
                }
                if !database {
                    // What ends while there is nothing to commit to is given up once its lease is over.
                    if let Some((task, _, end)) = hand.running
                        && end + self.lease <= now
                    {
                        rows[task].held = None;
                        rows[task].free_at = now;
                        hand.running = None;
                    }
                    continue;
                }
                self.step(now, worker, hand, &mut rows, &mut states, &mut heard);
            }
            now += STEP;
        }
        (heard, states)
    }

    #[allow(clippy::too_many_arguments, reason = "the model's whole state, in one place")]
    fn step(
        &self,
        now: u64,
        worker: usize,
        hand: &mut Hand,
        rows: &mut [Row],
        states: &mut [&'static str],
        heard: &mut Vec<(u64, TaskFact)>,
    ) {
        let mut say = |task: usize, attempt: u64, event: TaskEvent, dead: Option<bool>| {
            let fact = TaskFact {
                task: self.jobs[task].id.clone(),
                attempt,
                worker: format!("worker-{}", worker + 1),
                event,
                reason: dead.map(|_| "fails by design".to_owned()),
                dead,
                payload_crc32: (event == TaskEvent::Effect).then_some(7),
            };
            heard.push((now, fact));
        };
        if let Some((task, attempt, end)) = hand.running {
            if now < end {
                return;
            }
            hand.running = None;
            let row = &mut rows[task];
            row.held = None;
            if row.failures < self.jobs[task].fails {
                row.failures += 1;
                row.over = row.failures >= self.max_failures;
                row.free_at = now + self.backoff;
                states[task] = if row.over { "dead" } else { "waiting" };
                say(task, attempt, TaskEvent::Failed, Some(row.over));
            } else {
                row.over = true;
                states[task] = "done";
                say(task, attempt, TaskEvent::Effect, None);
                say(task, attempt, TaskEvent::Committed, None);
            }
        }
        if hand.batch.is_empty() {
            for (task, row) in rows.iter_mut().enumerate() {
                let due = self.jobs[task].from <= now && row.free_at <= now && !row.over && row.held.is_none();
                if due && hand.batch.len() < self.prefetch {
                    row.attempt += 1;
                    row.held = Some(worker);
                    states[task] = "running";
                    hand.batch.push((task, row.attempt));
                }
            }
        }
        if !hand.batch.is_empty() {
            let (task, attempt) = hand.batch.remove(0);
            hand.running = Some((task, attempt, now + self.jobs[task].takes));
            say(task, attempt, TaskEvent::Start, None);
        }
    }

    /// Nothing but tasks of one length, created 5 ms apart from `from` on.
    pub fn plain(count: usize, takes: u64, workers: usize, from: u64) -> Self {
        let jobs = (0..count).map(|n| Job {
            id: format!("task-{n}"),
            from: from + n as u64 * 5 * MS,
            takes,
            fails: 0,
        });
        Self {
            jobs: jobs.collect(),
            workers: vec![Vec::new(); workers],
            database: Vec::new(),
            lease: 2 * SEC,
            backoff: SEC,
            max_failures: 3,
            prefetch: 1,
            until: from + 400 * SEC,
        }
    }
}
