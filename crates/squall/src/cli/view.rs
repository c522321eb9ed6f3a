//! The live view: the journal's own events, as they are written.

use std::collections::HashMap;
use std::fs::File;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use squall_core::event::{Event, Fact, Role, TaskEvent};

use super::say;

/// The lines of all scenarios that run at the same time.
pub(super) struct Views {
    bars: MultiProgress,
    /// Where every event is kept, once it was printed.
    verbose: Option<PathBuf>,
}

/// Shows one scenario while it runs.
pub(super) struct View {
    sender: Sender<Event>,
    shower: Option<JoinHandle<()>>,
}

/// Shows that something goes on which gives no events.
pub(super) struct Waiting {
    bar: ProgressBar,
    /// Where no line can move: when something was said last.
    said: Option<Mutex<Instant>>,
    began: Instant,
}

/// Without a terminal, something is said this often while something goes on.
const SAY: Duration = Duration::from_secs(10);

impl Views {
    /// With a file, every event is printed and kept there.
    pub(super) fn new(verbose: Option<PathBuf>) -> Self {
        Self {
            bars: MultiProgress::new(),
            verbose,
        }
    }

    /// Opens the view of one scenario.
    pub(super) fn open(&self, scenario: &str) -> View {
        let (sender, events) = channel();
        let (scenario, verbose, bars) = (scenario.to_owned(), self.verbose.clone(), self.bars.clone());
        let shower = std::thread::Builder::new()
            .name("view".to_owned())
            .spawn(move || show(&scenario, verbose, &bars, &events))
            .ok();
        View { sender, shower }
    }
}

impl View {
    /// Where events go.
    pub(super) fn sender(&self) -> Sender<Event> {
        self.sender.clone()
    }

    /// Waits until everything was shown.
    pub(super) fn close(self) {
        drop(self.sender);
        if let Some(shower) = self.shower {
            let _ = shower.join();
        }
    }

    /// A line that moves while something goes on.
    pub(super) fn waiting(what: &str) -> Waiting {
        if !std::io::stderr().is_terminal() {
            say::err(&format!("squall: {what}"));
        }
        let bar = bar();
        bar.set_message(what.to_owned());
        let plain = !std::io::stderr().is_terminal();
        Waiting {
            bar,
            said: plain.then(|| Mutex::new(Instant::now())),
            began: Instant::now(),
        }
    }
}

impl Waiting {
    pub(super) fn tell(&self, text: &str) {
        self.bar.set_message(text.trim().to_owned());
        let Some(Ok(mut said)) = self.said.as_ref().map(Mutex::lock) else {
            return;
        };
        if said.elapsed() >= SAY {
            *said = Instant::now();
            say::err(&format!(
                "squall: {} s: {}",
                self.began.elapsed().as_secs(),
                text.trim()
            ));
        }
    }

    /// Says a line that stays.
    pub(super) fn say(&self, line: &str) {
        self.bar.suspend(|| say::err(line));
    }

    pub(super) fn close(&self) {
        self.bar.finish_and_clear();
    }
}

/// Hidden by itself where standard error is no terminal.
fn bar() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed:>4} {wide_msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

#[derive(Default)]
struct Tally {
    part: &'static str,
    created: usize,
    committed: usize,
    answered: usize,
    not_right: usize,
}

fn show(scenario: &str, verbose: Option<PathBuf>, bars: &MultiProgress, events: &Receiver<Event>) {
    let bar = bars.add(bar());
    let mut log = verbose
        .as_ref()
        .and_then(|path| File::options().create(true).append(true).open(path).ok());
    let (mut tally, mut steps) = (Tally::default(), HashMap::new());
    while let Ok(event) = events.recv() {
        tally.count(&event.fact);
        bar.set_message(format!(
            "{scenario} · {} · tasks {}/{} · answers {} ({} not right)",
            tally.part, tally.committed, tally.created, tally.answered, tally.not_right
        ));
        if let Fact::Imposing { step, place, condition } = &event.fact {
            steps.insert(*step, format!("{place} {}", condition.word()));
        }
        let said = match &event.fact {
            Fact::Imposed { step } => steps.get(step).map(|what| format!("{what}: in force")),
            Fact::Healed { step } => steps.get(step).map(|what| format!("{what}: healed")),
            _ => None,
        };
        let said = said.unwrap_or_else(|| words(&event.fact));
        let line = format!("{:>8.3} {said}", event.at as f64 / 1e9);
        if let Some(log) = &mut log {
            // The file is a convenience: the journal has it all.
            let _ = writeln!(log, "{scenario} {line}");
        }
        if verbose.is_some() || notable(&event.fact) {
            bars.suspend(|| say::err(&format!("{scenario} {line}")));
        }
    }
    bar.finish_and_clear();
}

impl Tally {
    fn count(&mut self, fact: &Fact) {
        match fact {
            Fact::Phase(phase) => self.part = phase.word(),
            Fact::Op(op) => {
                self.answered += 1;
                self.not_right += usize::from(op.answer != squall_core::event::Answer::Right);
                self.created +=
                    usize::from(op.role == Role::Create && op.work.as_ref().is_some_and(|work| work.task.is_some()));
            }
            Fact::Task(fact) => self.committed += usize::from(fact.event == TaskEvent::Committed),
            _ => {}
        }
    }
}

fn notable(fact: &Fact) -> bool {
    matches!(
        fact,
        Fact::Phase(_)
            | Fact::Imposed { .. }
            | Fact::Imposing { .. }
            | Fact::Healed { .. }
            | Fact::Missed { decided: false, .. }
            | Fact::NotReady { .. }
            | Fact::ScriptBegan { .. }
            | Fact::ScriptEnded { .. }
            | Fact::Exited { wanted: false, .. }
    )
}

/// A fact in one line.
fn words(fact: &Fact) -> String {
    match fact {
        Fact::Opened(header) => format!("opened {}", header.run),
        Fact::Phase(phase) => phase.word().to_owned(),
        Fact::Started {
            instance,
            pid,
            restarts,
        } => format!("{instance} started (pid {pid}, restart {restarts})"),
        Fact::Ready { instance, took } => format!("{instance} ready after {:.0} ms", *took as f64 / 1e6),
        Fact::NotReady { instance, waited } => format!("{instance} NOT ready after {:.1} s", *waited as f64 / 1e9),
        Fact::Exited {
            instance, how, wanted, ..
        } => {
            format!(
                "{instance} ended: {how}{}",
                if *wanted { "" } else { " (not by squall)" }
            )
        }
        Fact::Aimed { chosen, because, .. } => {
            format!(
                "aimed at {chosen}{}",
                because.as_ref().map_or(String::new(), |because| format!(": {because}"))
            )
        }
        Fact::Missed { why, .. } => format!("no strike: {why}"),
        Fact::Imposing { place, condition, .. } => format!("{place} is being {}", condition.word()),
        Fact::Imposed { step } => format!("step {step} is in force"),
        Fact::Healing { place, .. } => format!("{place} is being healed"),
        Fact::Healed { step } => format!("step {step} is healed"),
        Fact::ScriptBegan { run, .. } => format!("`{run}` was started"),
        Fact::ScriptEnded { how, took, .. } => format!("the command {} after {:.1} s", how.words(), *took as f64 / 1e9),
        Fact::Closed { end } => format!("closed: {end:?}"),
        other => serde_json::to_string(other).unwrap_or_default(),
    }
}
