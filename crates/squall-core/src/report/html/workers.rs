//! What each worker did: one lane for each, one bar for each attempt.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::axis::{Axis, label, legend, n, picture};
use super::budget::Budget;
use crate::journal::{Attempt, History, Life};
use crate::place::{Condition, Instance, Place};
use crate::report::measure::{Ending, ending};
use crate::report::words::moment;
use crate::time::Nanos;

/// Height of one bar with the room around it.
const BAR: f64 = 20.0;
/// Tasks of one worker at the same time drawn side by side; more share the last row.
const DEEP: usize = 6;

/// One attempt with a start.
struct Bar<'a> {
    task: &'a str,
    attempt: &'a Attempt<'a>,
    from: Nanos,
    to: Nanos,
    ending: Ending,
}

/// One worker's bars, and in which row of its lane each lies.
#[derive(Default)]
struct Lane<'a> {
    bars: Vec<(Bar<'a>, usize)>,
    depth: usize,
}

/// The lanes of all workers.
pub(super) fn draw(history: &History<'_>, budget: &Budget) -> Markup {
    let (bars, left_out) = thinned(bars(history), budget);
    if bars.is_empty() {
        return html! { p.none { "No worker reported the start of an attempt." } };
    }
    let drawn = bars.len();
    let lanes = lanes(bars, history);
    let axis = Axis::wide(history);
    let mut y = 4.0;
    let mut content = Vec::new();
    for (worker, lane) in &lanes {
        content.push(draw_lane(worker, lane, history, (&axis, y)));
        y += BAR * lane.depth.max(1) as f64 + 10.0;
    }
    let content = html! { (axis.draw(0.0, y)) @for lane in &content { (lane) } };
    html! {
        figure {
            figcaption {
                b { "Attempts by worker. " }
                (drawn) " attempts; each bar runs from its start to the last that was heard of it."
                @if left_out > 0 {
                    " " (left_out) " committed attempts, evenly chosen, are left out to keep this page small."
                }
            }
            (picture(y + 22.0, "Attempts by worker over time", &content))
            (legend(&[
                ("task-committed", "committed"),
                ("task-failed", "failed (stripes)"),
                ("task-interrupted", "interrupted by its worker's death (dashed, ✕)"),
                ("task-fenced", "lost its place to another attempt (dots)"),
                ("task-open", "no end seen (outline)"),
                ("not-there", "worker down"),
                ("frozen", "worker frozen"),
            ]))
        }
    }
}

fn bars<'a>(history: &'a History<'a>) -> Vec<Bar<'a>> {
    let mut bars = Vec::new();
    for (task, known) in &history.tasks {
        for (index, attempt) in known.attempts.iter().enumerate() {
            let Some((_, from)) = attempt.start else { continue };
            let (ending, to) = ending(history, &known.attempts, index);
            bars.push(Bar {
                task,
                attempt,
                from,
                to: to.max(from),
                ending,
            });
        }
    }
    bars.sort_by_key(|bar| bar.from);
    bars
}

/// Leaves out committed ones first, evenly: what went wrong is what a reader looks for.
fn thinned<'a>(bars: Vec<Bar<'a>>, budget: &Budget) -> (Vec<Bar<'a>>, usize) {
    let (all, most) = (bars.len(), budget.bars(bars.len()));
    if all <= most {
        return (bars, 0);
    }
    let committed = bars.iter().filter(|bar| bar.ending == Ending::Committed).count();
    let room = most.saturating_sub(all - committed);
    let mut nth = 0;
    let kept: Vec<_> = bars
        .into_iter()
        .filter(|bar| {
            if bar.ending != Ending::Committed {
                return true;
            }
            nth += 1;
            nth * room / committed > (nth - 1) * room / committed
        })
        .collect();
    let left_out = all - kept.len();
    (kept, left_out)
}

/// Every worker that did anything, and its idle siblings: an empty lane is a finding to see.
fn lanes<'a>(bars: Vec<Bar<'a>>, history: &History<'_>) -> BTreeMap<(String, u32), Lane<'a>> {
    let mut lanes: BTreeMap<(String, u32), Lane<'_>> = BTreeMap::new();
    let mut free: BTreeMap<(String, u32), Vec<Nanos>> = BTreeMap::new();
    for bar in bars {
        let key = key(bar.attempt.worker);
        let rows = free.entry(key.clone()).or_default();
        let row = match rows.iter().position(|until| *until <= bar.from) {
            Some(row) => row,
            None if rows.len() < DEEP => {
                rows.push(0);
                rows.len() - 1
            }
            None => DEEP - 1,
        };
        rows[row] = rows[row].max(bar.to);
        let lane = lanes.entry(key).or_default();
        lane.depth = lane.depth.max(row + 1);
        lane.bars.push((bar, row));
    }
    let services: Vec<String> = lanes.keys().map(|(service, _)| service.clone()).collect();
    for instance in history
        .lives
        .keys()
        .filter(|instance| services.contains(&instance.service))
    {
        lanes.entry((instance.service.clone(), instance.index)).or_default();
    }
    lanes
}

/// Sorts `worker-10` after `worker-2`; a name of another shape is its own group.
fn key(worker: &str) -> (String, u32) {
    match worker.parse::<Instance>() {
        Ok(instance) => (instance.service, instance.index),
        Err(_) => (worker.to_owned(), 0),
    }
}

fn draw_lane(worker: &(String, u32), lane: &Lane<'_>, history: &History<'_>, at: (&Axis, f64)) -> Markup {
    let (axis, y) = at;
    let height = BAR * lane.depth.max(1) as f64;
    let name = match worker {
        (name, 0) => name.clone(),
        (service, index) => format!("{service}-{index}"),
    };
    let instance = Instance::new(worker.0.clone(), worker.1);
    html! {
        (label(y + height / 2.0 + 4.0, &name))
        rect.lane x="120" y=(n(y)) width=(n(axis.end() - 120.0)) height=(n(height)) {}
        @for (class, from, to) in absences(&instance, history) {
            rect class=(class) x=(n(axis.x(from))) y=(n(y - 3.0)) width=(n(axis.span(from, to))) height=(n(height + 6.0)) {
                title {
                    (name) (if class == "frozen" { " was frozen, " } else { " was down, " })
                    (moment(from)) " to " (moment(to))
                }
            }
        }
        @for (bar, row) in &lane.bars { (draw_bar(bar, axis, y + BAR * *row as f64)) }
    }
}

fn draw_bar(bar: &Bar<'_>, axis: &Axis, y: f64) -> Markup {
    let (class, word) = match bar.ending {
        Ending::Committed => ("task-bar task-committed", "committed"),
        Ending::Failed => ("task-bar task-failed", "failed"),
        Ending::Interrupted => ("task-bar task-interrupted", "interrupted"),
        Ending::Fenced => ("task-bar task-fenced", "lost its place"),
        Ending::Open => ("task-bar task-open", "no end seen"),
    };
    let (x, width) = (axis.x(bar.from), axis.span(bar.from, bar.to));
    html! {
        rect class=(class) data-task=(bar.task) data-attempt=(bar.attempt.number)
            x=(n(x)) y=(n(y + 3.0)) width=(n(width)) height=(n(BAR - 6.0)) rx="2" {
            title {
                (bar.task) ", attempt " (bar.attempt.number) ": " (word) ", "
                (moment(bar.from)) " to " (moment(bar.to))
            }
        }
        @if bar.ending == Ending::Interrupted {
            path.cross d=(format!("M{} {}l6 6m0 -6l-6 6", n(x + width - 3.0), n(y + BAR / 2.0 - 3.0))) {}
        }
    }
}

/// When a worker was not there, or was there and could not move.
fn absences(instance: &Instance, history: &History<'_>) -> Vec<(&'static str, Nanos, Nanos)> {
    let mut spans = Vec::new();
    if let Some(lives) = history.lives.get(instance) {
        let back = |life: &Life| life.ready.map_or(life.started.1, |ready| ready.1);
        if let Some(first) = lives.first() {
            spans.push(("not-there", 0, back(first)));
        }
        for (index, life) in lives.iter().enumerate() {
            if let Some((_, exited, _)) = life.exited {
                spans.push(("not-there", exited, lives.get(index + 1).map_or(history.until, back)));
            }
        }
    }
    for strike in &history.strikes {
        if *strike.condition == Condition::Frozen && *strike.place == Place::Instance(instance.clone()) {
            let from = strike.imposed.unwrap_or(strike.imposing.1);
            spans.push(("frozen", from, strike.healed.unwrap_or(history.until)));
        }
    }
    spans.retain(|(_, from, to)| to > from);
    spans
}
