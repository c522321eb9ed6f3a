//! Alarms: the figures of the system's own monitoring that say when something is wrong.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use serde_json_path::JsonPath;

/// A figure of the system's own monitoring, and when it means that something is wrong.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct Alarm {
    /// What the check `alarmed` calls it.
    pub name: String,
    /// Where the entry service shows it: asked with GET, without a session.
    pub path: String,
    /// Which figure.
    pub of: Figure,
    /// When it rings.
    pub rings: Rings,
}

/// Which figure of an answer.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    /// The sum of all lines of the Prometheus text format with this name and these labels: `up` or `up{job="db"}`.
    Metric(String),
    /// What a JSONPath finds in a JSON answer: a number, a flag as 0 or 1, or how many entries a list has.
    Value(String),
}

/// When an alarm rings.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rings {
    /// While the figure is above this.
    Above(f64),
    /// While it is below this.
    Below(f64),
}

impl Alarm {
    /// Whether it rings, by an answer; `None` where the figure is not in it.
    pub fn rings(&self, answer: &str) -> Option<bool> {
        let figure = match &self.of {
            Figure::Metric(wanted) => Series::wanted(wanted).ok()?.sum(answer),
            Figure::Value(path) => value(path, answer),
        }?;
        Some(match self.rings {
            Rings::Above(bound) => figure > bound,
            Rings::Below(bound) => figure < bound,
        })
    }
}

fn value(path: &str, answer: &str) -> Option<f64> {
    let json: Value = serde_json::from_str(answer).ok()?;
    let path = JsonPath::parse(path).ok()?;
    match path.query(&json).at_most_one().ok()?? {
        Value::Number(number) => number.as_f64(),
        Value::Bool(flag) => Some(f64::from(u8::from(*flag))),
        Value::Array(list) => Some(list.len() as f64),
        _ => None,
    }
}

/// A metric's name and labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    name: String,
    labels: Vec<(String, String)>,
}

impl Series {
    /// Which series are wanted.
    ///
    /// # Errors
    /// The text names none.
    pub fn wanted(text: &str) -> Result<Self, &'static str> {
        let (series, rest) = Self::read(text.trim()).ok_or("is no metric, such as `up` or `up{job=\"db\"}`")?;
        match rest.trim().is_empty() {
            true => Ok(series),
            false => Err("has something after the metric's name and labels"),
        }
    }

    /// The sum of all lines that have the name and, at least, the labels; `None` without any.
    fn sum(&self, text: &str) -> Option<f64> {
        let figures = text.lines().filter_map(|line| {
            let (series, rest) = Self::read(line.trim_start())?;
            let wanted = |label: &(String, String)| series.labels.contains(label);
            let fits = series.name == self.name && self.labels.iter().all(wanted);
            // A time stamp may follow.
            let figure = rest.split_whitespace().next()?.parse::<f64>().ok()?;
            (fits && !figure.is_nan()).then_some(figure)
        });
        figures.fold(None, |sum, figure| Some(sum.unwrap_or(0.0) + figure))
    }

    /// A name and labels at the start of a text, and what comes after.
    fn read(text: &str) -> Option<(Self, &str)> {
        let of_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
        let end = text.find(|c| !of_name(c)).unwrap_or(text.len());
        let (name, mut rest) = text.split_at(end);
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        let mut labels = Vec::new();
        if let Some(inner) = rest.strip_prefix('{') {
            rest = inner.trim_start();
            while !rest.starts_with('}') {
                let (label, after) = rest.split_once('=')?;
                let (value, after) = quoted(after.trim_start())?;
                labels.push((label.trim().to_owned(), value));
                let after = after.trim_start();
                rest = match after.strip_prefix(',') {
                    Some(after) => after.trim_start(),
                    None if after.starts_with('}') => after,
                    None => return None,
                };
            }
            rest = &rest[1..];
        }
        let name = name.to_owned();
        Some((Self { name, labels }, rest))
    }
}

/// A label's value in quotes, and what comes after.
fn quoted(text: &str) -> Option<(String, &str)> {
    let inner = text.strip_prefix('"')?;
    let (mut value, mut escaped) = (String::new(), false);
    for (at, c) in inner.char_indices() {
        match (escaped, c) {
            (false, '"') => return Some((value, &inner[at + 1..])),
            (false, '\\') => {}
            (true, 'n') => value.push('\n'),
            (_, c) => value.push(c),
        }
        escaped = c == '\\' && !escaped;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const METRICS: &str = "# HELP up Whether it is.\n# TYPE up gauge\nup{job=\"db\",zone=\"a\"} 1\nup{job=\"db\", zone=\"b,\\\"}\"} 1 1700000000\n\
                           up{job=\"web\"} 0\nups 7\nplain 2.5e1\nodd NaN\n";

    fn alarm(of: Figure, rings: Rings) -> Alarm {
        Alarm {
            name: "x".to_owned(),
            path: "/metrics".to_owned(),
            of,
            rings,
        }
    }

    #[test]
    fn lines_with_the_name_and_the_labels_are_summed() {
        let sum = |wanted: &str| Series::wanted(wanted).unwrap().sum(METRICS);
        assert_eq!(sum("up"), Some(2.0));
        assert_eq!(sum("up{job=\"db\"}"), Some(2.0));
        assert_eq!(sum("up{zone=\"b,\\\"}\"}"), Some(1.0));
        assert_eq!(sum("up{ job = \"web\" , }"), Some(0.0));
        assert_eq!(sum("plain"), Some(25.0));
        assert_eq!(sum("odd"), None);
        assert_eq!(sum("up{job=\"cache\"}"), None);
        assert_eq!(sum("down"), None);
    }

    #[test]
    fn it_rings_beyond_its_bound_and_says_nothing_without_its_figure() {
        let metric = |rings| alarm(Figure::Metric("up{job=\"web\"}".to_owned()), rings);
        assert_eq!(metric(Rings::Below(1.0)).rings(METRICS), Some(true));
        assert_eq!(metric(Rings::Below(0.0)).rings(METRICS), Some(false));
        assert_eq!(metric(Rings::Above(0.0)).rings(METRICS), Some(false));
        assert_eq!(metric(Rings::Above(0.0)).rings("<html>"), None);
        let firing = alarm(Figure::Value("$.firing".to_owned()), Rings::Above(0.0));
        assert_eq!(firing.rings(r#"{"firing": [{"name": "db"}]}"#), Some(true));
        assert_eq!(firing.rings(r#"{"firing": []}"#), Some(false));
        assert_eq!(firing.rings(r#"{"firing": true}"#), Some(true));
        assert_eq!(firing.rings(r#"{"firing": 0}"#), Some(false));
        assert_eq!(firing.rings(r#"{"firing": "many"}"#), None);
        assert_eq!(firing.rings(r#"{"fired": 1}"#), None);
    }

    #[test]
    fn what_is_no_metric_is_told() {
        for odd in [
            "",
            "7up",
            "{job=\"x\"}",
            "up{job=x}",
            "up{job=\"x\"",
            "up{job=\"x\" zone=\"y\"}",
            "up > 3",
        ] {
            assert!(Series::wanted(odd).is_err(), "{odd}");
        }
    }
}
