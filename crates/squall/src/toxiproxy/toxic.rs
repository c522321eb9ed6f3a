//! Toxics: what their attributes are, and what they mean for a link.

use std::time::Duration;

use serde_json::{Map, Value, json};
use squall_core::place::{Cut, Impair, Impairment, Share, Spread, Way};

use super::spec::{Refused, text};
use crate::proxy::{Wanted, What};

/// What an attribute may be, and is when it is not said.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// A whole number; 0.
    Whole,
    /// Any number; 0.
    Number,
    /// A word; empty.
    Word,
}

/// Every type of toxic with its attributes.
const TYPES: &[(&str, &[(&str, Kind)])] = &[
    ("latency", &[("latency", Kind::Whole), ("jitter", Kind::Whole)]),
    ("bandwidth", &[("rate", Kind::Whole)]),
    ("slow_close", &[("delay", Kind::Whole)]),
    ("timeout", &[("timeout", Kind::Whole)]),
    ("reset_peer", &[("timeout", Kind::Whole)]),
    (
        "slicer",
        &[
            ("average_size", Kind::Whole),
            ("size_variation", Kind::Whole),
            ("delay", Kind::Whole),
        ],
    ),
    ("limit_data", &[("bytes", Kind::Whole)]),
    (
        "packet_loss",
        &[("loss_rate", Kind::Number), ("correlation", Kind::Number)],
    ),
    ("noop", &[]),
    // What follows Toxiproxy has not.
    ("corrupt", &[("rate", Kind::Number)]),
    ("stall", &[("loss_rate", Kind::Number), ("pause", Kind::Whole)]),
    ("half_open", &[]),
    ("black_hole", &[]),
];

/// An attribute Toxiproxy's `latency` has not: shown only where it was given.
const DISTRIBUTION: (&str, Kind) = ("distribution", Kind::Word);

/// One toxic of a proxy.
#[derive(Debug, Clone)]
pub(super) struct Toxic {
    /// Never given to another toxic of the proxy: chance depends on it.
    key: u64,
    pub(super) name: String,
    kind: &'static str,
    pub(super) upstream: bool,
    toxicity: f64,
    attributes: Map<String, Value>,
}

impl Toxic {
    /// Reads what a client sent.
    pub(super) fn read(body: &Value, key: u64) -> Result<Self, Refused> {
        let body = body
            .as_object()
            .ok_or_else(|| Refused::body("an object was expected"))?;
        let kind = text(body, "type")?.unwrap_or_default();
        let stream = text(body, "stream")?.unwrap_or_else(|| "downstream".to_owned());
        let upstream = match stream.to_lowercase().as_str() {
            "upstream" => true,
            "downstream" => false,
            _ => return Err(Refused::STREAM),
        };
        let name = text(body, "name")?.filter(|name| !name.is_empty());
        let (kind, known) = *TYPES.iter().find(|(known, _)| *known == kind).ok_or(Refused::TYPE)?;
        let mut toxic = Self {
            key,
            name: name.unwrap_or_else(|| format!("{kind}_{stream}")),
            kind,
            upstream,
            toxicity: 1.0,
            attributes: known
                .iter()
                .map(|(name, kind)| ((*name).to_owned(), kind.unsaid()))
                .collect(),
        };
        toxic.update(&Value::Object(body.clone()))?;
        Ok(toxic)
    }

    /// Takes over what a client sent; what it left out stays.
    pub(super) fn update(&mut self, body: &Value) -> Result<(), Refused> {
        let mut next = self.clone();
        let body = body
            .as_object()
            .ok_or_else(|| Refused::body("an object was expected"))?;
        match body.get("toxicity") {
            None | Some(Value::Null) => {}
            Some(toxicity) => {
                let toxicity = toxicity.as_f64();
                next.toxicity = toxicity.ok_or_else(|| Refused::body("toxicity is not a number"))?;
            }
        }
        let given = match body.get("attributes") {
            None | Some(Value::Null) => &Map::new(),
            Some(Value::Object(given)) => given,
            Some(_) => return Err(Refused::body("attributes is not an object")),
        };
        for (name, value) in given.iter().filter(|(_, value)| !value.is_null()) {
            // What nobody knows is let be, as Toxiproxy does.
            let Some(kind) = next.kind_of(name) else { continue };
            let fits = match kind {
                Kind::Whole => value.is_i64() || value.is_u64(),
                Kind::Number => value.is_number(),
                Kind::Word => spread(value).is_some(),
            };
            if !fits {
                return Err(Refused::body(&format!("{name} cannot be {value}")));
            }
            next.attributes.insert(name.clone(), value.clone());
        }
        *self = next;
        Ok(())
    }

    fn kind_of(&self, name: &str) -> Option<Kind> {
        let own = TYPES.iter().find(|(kind, _)| *kind == self.kind)?.1;
        let more = (self.kind == "latency").then_some(DISTRIBUTION);
        own.iter()
            .copied()
            .chain(more)
            .find(|(known, _)| *known == name)
            .map(|(_, kind)| kind)
    }

    /// As clients see it.
    pub(super) fn json(&self) -> Value {
        json!({
            "attributes": self.attributes,
            "name": self.name,
            "type": self.kind,
            "stream": if self.upstream { "upstream" } else { "downstream" },
            "toxicity": self.toxicity,
        })
    }

    /// What it means for the link, if anything.
    pub(super) fn wanted(&self) -> Option<Wanted> {
        let (way, share) = (
            if self.upstream { Way::Up } else { Way::Down },
            Share::of(self.toxicity),
        );
        let what = match self.kind {
            "half_open" => What::Cut(Cut::HalfOpen, share),
            "black_hole" => What::Cut(Cut::BlackHole, share),
            _ => What::Impaired(Impairment {
                what: self.impair()?,
                way,
                share,
            }),
        };
        Some(Wanted { key: self.key, what })
    }

    fn impair(&self) -> Option<Impair> {
        let millis = |name| Duration::from_millis(self.whole(name));
        Some(match self.kind {
            "latency" => Impair::Delay {
                latency: millis("latency"),
                jitter: millis("jitter"),
                spread: self.attributes.get("distribution").and_then(spread).unwrap_or_default(),
            },
            // Without a rate there is no limit.
            "bandwidth" => Impair::Rate {
                bytes: Some(self.whole("rate")).filter(|rate| *rate > 0)?.saturating_mul(1000),
            },
            "slow_close" => Impair::SlowClose { delay: millis("delay") },
            "timeout" => Impair::Timeout {
                after: Some(millis("timeout")).filter(|after| !after.is_zero()),
            },
            "reset_peer" => Impair::Reset {
                after: millis("timeout"),
            },
            "slicer" => Impair::Slice {
                bytes: Some(self.whole("average_size")).filter(|size| *size > 0)?,
                vary: self.whole("size_variation"),
                pause: Duration::from_micros(self.whole("delay")),
            },
            "limit_data" => Impair::Truncate {
                after: self.whole("bytes"),
            },
            "packet_loss" => Impair::Gaps {
                share: self.share("loss_rate"),
                correlation: self.share("correlation"),
            },
            "corrupt" => Impair::Corrupt {
                share: self.share("rate"),
            },
            "stall" => Impair::Stall {
                share: self.share("loss_rate"),
                pause: millis("pause"),
            },
            _ => return None,
        })
    }

    /// A whole number; below zero counts as zero.
    fn whole(&self, name: &str) -> u64 {
        self.attributes.get(name).and_then(Value::as_u64).unwrap_or(0)
    }

    fn share(&self, name: &str) -> Share {
        Share::of(self.attributes.get(name).and_then(Value::as_f64).unwrap_or(0.0))
    }
}

impl Kind {
    fn unsaid(self) -> Value {
        match self {
            Kind::Whole | Kind::Number => json!(0),
            Kind::Word => json!(""),
        }
    }
}

fn spread(value: &Value) -> Option<Spread> {
    match value.as_str()? {
        "uniform" => Some(Spread::Uniform),
        "normal" => Some(Spread::Normal),
        "pareto" => Some(Spread::Pareto),
        _ => None,
    }
}
