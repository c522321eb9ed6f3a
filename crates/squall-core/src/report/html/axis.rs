//! The time axis every picture of a scenario shares, and a few marks drawn alike everywhere.

use maud::{Markup, html};

use crate::journal::{History, Strike};
use crate::time::Nanos;

/// Width of a picture, in the units of its view box.
pub(super) const WIDTH: f64 = 1080.0;
/// Where the time axis begins: left of it are the labels.
pub(super) const LEFT: f64 = 120.0;
/// Room right of the time axis.
const RIGHT: f64 = 18.0;
const SECOND: Nanos = 1_000_000_000;

/// Distances between two marks of a time axis, in seconds.
const STEPS: [u64; 13] = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200];

/// Maps the run's time to places from left to right.
#[derive(Debug, Clone, Copy)]
pub(super) struct Axis {
    until: Nanos,
    left: f64,
    right: f64,
}

impl Axis {
    /// The whole run across a wide picture.
    pub(super) fn wide(history: &History<'_>) -> Self {
        Self::between(history, LEFT, WIDTH - RIGHT)
    }

    /// The whole run between two places.
    pub(super) fn between(history: &History<'_>, left: f64, right: f64) -> Self {
        let until = history.until.max(1);
        Self { until, left, right }
    }

    /// Where `at` lies.
    pub(super) fn x(&self, at: Nanos) -> f64 {
        self.left + (self.right - self.left) * (at.min(self.until) as f64 / self.until as f64)
    }

    /// How wide a span is: at least a hair, so that it can be seen.
    pub(super) fn span(&self, from: Nanos, to: Nanos) -> f64 {
        (self.x(to) - self.x(from)).max(1.5)
    }

    /// Where the axis ends.
    pub(super) fn end(&self) -> f64 {
        self.right
    }

    /// Which of `bins` equal parts `at` lies in.
    pub(super) fn bin(&self, at: Nanos, bins: usize) -> usize {
        let bin = u128::from(at) * bins as u128 / u128::from(self.until);
        usize::try_from(bin).unwrap_or(bins).min(bins.saturating_sub(1))
    }

    /// When part `bin` of `bins` begins.
    pub(super) fn bin_start(&self, bin: usize, bins: usize) -> Nanos {
        let at = u128::from(self.until) * bin as u128 / bins.max(1) as u128;
        Nanos::try_from(at).unwrap_or(self.until)
    }

    /// At most `most` moments, evenly apart, for marks.
    fn ticks(&self, most: u64) -> Vec<Nanos> {
        let seconds = self.until.div_ceil(SECOND);
        let fits = |step: &&u64| seconds / **step <= most;
        let step = STEPS.iter().find(fits).copied().unwrap_or(seconds / most + 1);
        (0..=self.until / SECOND)
            .step_by(usize::try_from(step).unwrap_or(1))
            .map(|second| second * SECOND)
            .collect()
    }

    /// Vertical lines from `top` to `bottom` with their times below.
    pub(super) fn draw(&self, top: f64, bottom: f64) -> Markup {
        self.draw_some(top, bottom, 14)
    }

    /// The same with at most `most` lines.
    pub(super) fn draw_some(&self, top: f64, bottom: f64, most: u64) -> Markup {
        html! {
            g.axis {
                @for at in self.ticks(most) {
                    line.grid x1=(n(self.x(at))) x2=(n(self.x(at))) y1=(n(top)) y2=(n(bottom)) {}
                    text x=(n(self.x(at))) y=(n(bottom + 15.0)) text-anchor="middle" { (tick(at)) }
                }
                line.base x1=(n(self.left)) x2=(n(self.right)) y1=(n(bottom)) y2=(n(bottom)) {}
            }
        }
    }
}

fn tick(at: Nanos) -> String {
    let seconds = at / SECOND;
    match seconds {
        0..120 => format!("{seconds} s"),
        _ => format!("{}:{:02}", seconds / 60, seconds % 60),
    }
}

/// A coordinate with one decimal at most: pages of thousands of marks stay small.
pub(super) fn n(value: f64) -> String {
    let text = format!("{value:.1}");
    match text.strip_suffix(".0") {
        Some(whole) => whole.to_owned(),
        None => text,
    }
}

/// The whole strike: from `imposing` to healed, or to the run's end.
pub(super) fn held(strike: &Strike<'_>, history: &History<'_>) -> (Nanos, Nanos) {
    (strike.imposing.1, strike.healed.unwrap_or(history.until))
}

/// Light bands behind a picture where faults held.
pub(super) fn shades(history: &History<'_>, axis: &Axis, top: f64, bottom: f64) -> Markup {
    html! {
        @for strike in &history.strikes {
            @let (from, to) = held(strike, history);
            rect.fault-shade x=(n(axis.x(from))) y=(n(top)) width=(n(axis.span(from, to))) height=(n(bottom - top)) {}
        }
    }
}

/// Thin lines where faults began and ended, to be drawn over a picture that hides its shades.
pub(super) fn edges(history: &History<'_>, axis: &Axis, top: f64, bottom: f64) -> Markup {
    let moments = history.strikes.iter().flat_map(|strike| {
        let (from, to) = held(strike, history);
        [from, to]
    });
    html! {
        @for at in moments {
            line.fault-edge x1=(n(axis.x(at))) x2=(n(axis.x(at))) y1=(n(top)) y2=(n(bottom)) {}
        }
    }
}

/// A label left of the axis.
pub(super) fn label(y: f64, text: &str) -> Markup {
    html! { text.label x=(n(LEFT - 10.0)) y=(n(y)) text-anchor="end" { (short(text, 17)) title { (text) } } }
}

/// At most `most` characters, the middle left out: both ends of a name tell it apart.
pub(super) fn short(text: &str, most: usize) -> String {
    let length = text.chars().count();
    if length <= most {
        return text.to_owned();
    }
    let tail = most / 2;
    let head: String = text.chars().take(most - tail - 1).collect();
    let tail: String = text.chars().skip(length - tail).collect();
    format!("{head}…{tail}")
}

/// A wide picture in a box of its own, which scrolls where the screen is too narrow.
pub(super) fn picture(height: f64, name: &str, content: &Markup) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(name) {
            svg.wide viewBox=(format!("0 0 {} {}", n(WIDTH), n(height))) role="img" aria-label=(name) { (content) }
        }
    }
}

/// A legend: a swatch of each class with its words.
pub(super) fn legend(items: &[(&str, &str)]) -> Markup {
    html! {
        ul.legend {
            @for (class, words) in items {
                li {
                    svg width="22" height="12" aria-hidden="true" {
                        rect class=(class) x="1" y="1" width="20" height="10" rx="2" {}
                    }
                    (words)
                }
            }
        }
    }
}
