//! How far faults may reach: what none may touch, and how much they may hold at once.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Facts, System};
use crate::amount::{Dur, Percent};
use crate::diagnostic::{Mistake, nearest};
use crate::document::Document;
use crate::place::Place;

/// How much faults may hold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Budget {
    /// At most this share of the copies of any one service may be down or frozen at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copies: Option<Percent>,
    /// At most at so many places, copies and links, may faults hold at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub at_once: Option<u32>,
    /// All faults of one storm may hold for so long together; never divided by the pace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Dur>,
}

impl Budget {
    /// Whether there is none.
    pub fn is_unbounded(&self) -> bool {
        *self == Self::default()
    }

    /// Whether so many of a service's copies may be down or frozen at once.
    ///
    /// # Errors
    /// Which bound forbids it.
    pub fn copies(&self, service: &str, down: u32, of: u32) -> Result<(), String> {
        match self.copies {
            Some(share) if f64::from(down) > share.fraction() * f64::from(of) + 1e-9 => Err(format!(
                "{down} of {of} copies of {service} at once is more than `budget: {{ copies: {share} }}` allows"
            )),
            _ => Ok(()),
        }
    }
}

impl Facts {
    /// The entry of `protect` that forbids touching a service, or its link to another.
    pub fn protector(&self, service: &str, link_to: Option<&str>) -> Option<String> {
        let link = link_to.map(|to| format!("{service}->{to}"));
        let mut names = [Some(service), link_to, link.as_deref()].into_iter().flatten();
        names.find(|name| self.protect.contains(*name)).map(str::to_owned)
    }

    /// Whether the budget allows a fault at `place` while faults hold at those `struck`.
    ///
    /// # Errors
    /// Which bound forbids it.
    pub fn affords<'p>(&self, place: &Place, struck: impl Iterator<Item = &'p Place>) -> Result<(), String> {
        let mut struck: BTreeSet<&Place> = struck.collect();
        struck.insert(place);
        if let Some(most) = self.budget.at_once
            && struck.len() > most as usize
        {
            let text = format!(
                "{} places at once are more than `budget: {{ at_once: {most} }}` allows",
                struck.len()
            );
            return Err(text);
        }
        let Place::Instance(instance) = place else {
            return Ok(());
        };
        let of = self
            .services
            .get(&instance.service)
            .map_or(0, |service| service.replicas);
        let down = struck
            .iter()
            .filter(|place| matches!(place, Place::Instance(other) if other.service == instance.service));
        let down = u32::try_from(down.count()).unwrap_or(u32::MAX);
        self.budget.copies(&instance.service, down, of)
    }
}

/// Entries of `protect` that name nothing of the system.
pub(super) fn unknown(doc: &Document, system: &System) -> Vec<Mistake> {
    let links = system.services.iter().flat_map(|(name, service)| {
        let own = service.links.iter();
        own.map(move |to| format!("{name}->{to}"))
    });
    let known: BTreeSet<String> = links.chain(system.services.keys().cloned()).collect();
    let wrong = system
        .protect
        .iter()
        .enumerate()
        .filter(|(_, name)| !known.contains(*name));
    let wrong = wrong.map(|(index, name)| {
        let help = nearest(name, known.iter().map(String::as_str)).map_or_else(
            || {
                format!(
                    "services and links are {}",
                    known.iter().cloned().collect::<Vec<_>>().join(", ")
                )
            },
            |close| format!("did you mean `{close}`?"),
        );
        let message = format!("there is no service or link `{name}` to protect");
        doc.mistake(&format!("/protect/{index}"), message, Some(help))
    });
    let nothing = system.budget.copies.is_some_and(|share| share.fraction() <= 0.0);
    let nothing = nothing.then(|| {
        let help = "to let no fault touch a service, name it in `protect`".to_owned();
        doc.mistake(
            "/budget/copies",
            "a budget of no copies at all allows no fault of a copy",
            Some(help),
        )
    });
    wrong.chain(nothing).collect()
}
