//! How long requests took, from the moment they were due, on a logarithmic scale.

use maud::{Markup, html};

use super::axis::{Axis, legend, n, picture, shades};
use super::timeline::{bin_words, bins as parts};
use crate::journal::History;
use crate::report::measure::answered_in;
use crate::report::words::length;
use crate::time::Nanos;

const HEIGHT: f64 = 130.0;
const TOP: f64 = 8.0;

/// Median and maximum of each part of the run.
pub(super) fn draw(history: &History<'_>) -> Markup {
    let axis = Axis::wide(history);
    let bins = bins(history, &axis);
    let all = bins.iter().flatten();
    let lowest = all.clone().map(|(p50, _)| *p50).min();
    let Some((low, high)) = lowest.zip(all.map(|(_, max)| *max).max()) else {
        return html! { p.none { "No request was answered, so there is no latency to show." } };
    };
    let scale = Scale::around(low, high);
    let bottom = TOP + HEIGHT;
    let content = html! {
        (shades(history, &axis, TOP, bottom))
        @for decade in scale.low..=scale.high {
            @let y = scale.y(10_u64.saturating_pow(decade));
            line.grid x1="120" x2=(n(axis.end())) y1=(n(y)) y2=(n(y)) {}
            text.unit x="114" y=(n(y + 4.0)) text-anchor="end" { (decade_word(decade)) }
        }
        (axis.draw(TOP, bottom))
        path.p50 d=(line(&bins, &axis, &scale)) {}
        @for (bin, (_, max)) in bins.iter().enumerate().filter_map(|(bin, both)| Some((bin, both.as_ref()?))) {
            circle.max cx=(n(middle(&axis, bin, bins.len()))) cy=(n(scale.y(*max))) r="2.2" { title { (length(*max)) } }
        }
    };
    html! {
        figure {
            figcaption {
                b { "Request latency. " }
                "From the moment a request was due to its answer, logarithmic; in steps of " (bin_words(history)) ". "
                "Requests with nobody there to answer are left out."
            }
            (picture(bottom + 22.0, "Request latency over time", &content))
            (legend(&[("p50-swatch", "line: half took at most this long"), ("max-swatch", "dots: the longest")]))
        }
    }
}

/// Median and maximum of the requests due in each part.
fn bins(history: &History<'_>, axis: &Axis) -> Vec<Option<(Nanos, Nanos)>> {
    let number = parts(history);
    let mut bins: Vec<Vec<Nanos>> = vec![Vec::new(); number];
    for (_, op) in &history.ops {
        if let Some(took) = answered_in(op) {
            bins[axis.bin(op.due, number)].push(took);
        }
    }
    bins.into_iter()
        .map(|mut took| {
            took.sort_unstable();
            let middle = took.get(took.len().saturating_sub(1) / 2)?;
            Some((*middle, *took.last()?))
        })
        .collect()
}

/// Powers of ten from `low` to `high`, in nanoseconds.
struct Scale {
    low: u32,
    high: u32,
}

impl Scale {
    /// At least 100 µs, since nothing below is told apart, and at least one decade.
    fn around(low: Nanos, high: Nanos) -> Self {
        let low = low.max(100_000).ilog10();
        let high = high.max(1).ilog10() + 1;
        Self {
            low,
            high: high.max(low + 1),
        }
    }

    fn y(&self, took: Nanos) -> f64 {
        let decades = f64::from(self.high - self.low);
        let above = (took.max(1) as f64).log10() - f64::from(self.low);
        TOP + HEIGHT * (1.0 - (above / decades).clamp(0.0, 1.0))
    }
}

fn decade_word(decade: u32) -> String {
    let nanos = 10_u64.saturating_pow(decade);
    match decade {
        ..6 => format!("{} µs", nanos / 1_000),
        6..9 => format!("{} ms", nanos / 1_000_000),
        _ => format!("{} s", nanos / 1_000_000_000),
    }
}

fn middle(axis: &Axis, bin: usize, number: usize) -> f64 {
    (axis.x(axis.bin_start(bin, number)) + axis.x(axis.bin_start(bin + 1, number))) / 2.0
}

/// The line breaks where nothing was measured, instead of inventing something between.
fn line(bins: &[Option<(Nanos, Nanos)>], axis: &Axis, scale: &Scale) -> String {
    let mut path = String::new();
    let mut pen = 'M';
    for (bin, both) in bins.iter().enumerate() {
        let Some((p50, _)) = both else {
            pen = 'M';
            continue;
        };
        let (x, y) = (middle(axis, bin, bins.len()), scale.y(*p50));
        path.push_str(&format!("{pen}{} {}", n(x), n(y)));
        if pen == 'M' {
            // A lone point is drawn too: the line's round ends make a dot of it.
            path.push_str("h0");
        }
        pen = 'L';
    }
    path
}
