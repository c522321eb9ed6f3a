//! Parts of a system that can't reach each other: which links are cut follows from who is on which side.

use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::amount::Dur;
use crate::fault::{fault, impaired};
use crate::place::{Condition, Cut, Impair, Instance, Way};
use crate::system::Facts;

pub(super) const DOES: &str = "cuts every link between two sides: a service or copy from the rest, halves, a majority, a ring, a bridge; one way or both";
pub(super) const PROOF: &str = "on one of its links: connections closed, or bytes that vanished, counted by its proxy";

/// So many shuffles are tried until a link crosses.
const SHUFFLES: usize = 32;

/// How copies are split, in an order drawn from the seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// Two halves; of an odd number the second is larger by one.
    Halves,
    /// As many as are no majority, from all others.
    Majority,
    /// Each reaches its neighbours in a ring, so many that it sees a majority; no two see the same.
    Ring,
    /// Two halves, and one that reaches all.
    Bridge,
}

/// Which bytes between the sides vanish.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// All.
    #[default]
    Both,
    /// What the isolated send.
    Out,
    /// What is sent to them.
    In,
}

fault! {
    /// Parts a system. Either `isolate` or `split` says how.
    Partition {
        /// Services, or copies such as `worker-2`, that are cut off from all others.
        #[serde(default)]
        isolate: Vec<String>,
        /// Or: how the copies are split.
        #[serde(default)]
        split: Option<Split>,
        /// Only these services or copies are parted; all when absent.
        #[serde(default)]
        among: Vec<String>,
        /// Only these services or copies see it: the links they open are cut, all others stay.
        #[serde(default)]
        seen_by: Vec<String>,
        /// With `isolate`: which bytes vanish, `out` (what the isolated send), `in`, or `both` when absent.
        #[serde(default)]
        direction: Direction,
        /// How links are cut in both directions; `black_hole` when absent.
        #[serde(default)]
        how: Option<Cut>,
        /// How long; with `every` it comes back.
        #[serde(rename = "for")]
        lasts: Dur,
    }
}

/// A link that crosses from one side to the other, and what holds there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crossing {
    /// The copy that connects.
    pub from: Instance,
    /// The service it connects to.
    pub to: String,
    /// What holds.
    pub condition: Condition,
}

/// Why a partition can't be made: the key it is about, what is wrong, what to do.
pub type Uncut = (String, String, String);

impl Partition {
    /// Every name it speaks of, with its key.
    pub fn names(&self) -> impl Iterator<Item = (String, &str)> {
        let lists = [
            ("isolate", &self.isolate),
            ("among", &self.among),
            ("seen_by", &self.seen_by),
        ];
        lists.into_iter().flat_map(|(key, names)| {
            let each = names.iter().enumerate();
            each.map(move |(index, name)| (format!("/{key}/{index}"), name.as_str()))
        })
    }

    /// The links that cross it in a system.
    ///
    /// # Errors
    /// It names what is not there, contradicts itself, or no link that squall's proxies carry crosses it.
    pub fn crossings(&self, facts: &Facts, rng: &mut impl rand::Rng) -> Result<Vec<Crossing>, Uncut> {
        self.consistent()?;
        for (pointer, name) in self.names() {
            if members(name, facts).is_empty() {
                let names: Vec<&str> = facts.services.keys().map(String::as_str).collect();
                let help = format!(
                    "the services are {}; a copy is named as {}-1",
                    names.join(", "),
                    facts.entry
                );
                return Err((pointer, format!("the system has no service or copy `{name}`"), help));
            }
        }
        let all = |names: &[String]| names.iter().flat_map(|name| members(name, facts)).collect::<Vec<_>>();
        let mut nodes = match self.among.is_empty() {
            true => all(&facts.services.keys().cloned().collect::<Vec<_>>()),
            false => all(&self.among),
        };
        nodes.extend(all(&self.isolate));
        nodes.sort();
        nodes.dedup();
        let (isolated, seers) = (all(&self.isolate), all(&self.seen_by));
        let crossing = |nodes: &[Instance]| -> Vec<Crossing> {
            let links = links(facts).into_iter();
            let links = links.filter(|(from, _)| seers.is_empty() || seers.contains(from));
            let place = |copy: &Instance| nodes.iter().position(|node| node == copy);
            let cut = links.filter_map(|(from, to)| {
                let apart = match self.split {
                    Some(split) => split.parts(place(&from)?, place(&to)?, nodes.len()),
                    None => {
                        place(&from).is_some()
                            && place(&to).is_some()
                            && isolated.contains(&from) != isolated.contains(&to)
                    }
                };
                apart.then(|| Crossing {
                    condition: self.condition_at(isolated.contains(&from)),
                    from,
                    to: to.service,
                })
            });
            cut.collect()
        };
        let mut found = crossing(&nodes);
        if self.split.is_some() {
            for _ in 0..SHUFFLES {
                shuffle(&mut nodes, rng);
                found = crossing(&nodes);
                if !found.is_empty() {
                    break;
                }
            }
        }
        match found.is_empty() {
            true => Err(uncrossed(facts)),
            false => Ok(found),
        }
    }

    fn consistent(&self) -> Result<(), Uncut> {
        let wrong = |key: &str, what: &str, help: &str| Err((key.to_owned(), what.to_owned(), help.to_owned()));
        match (self.isolate.is_empty(), self.split) {
            (true, None) => {
                return wrong(
                    "",
                    "it does not say who is cut off",
                    "write `isolate: [SERVICE]` or `split: halves`",
                );
            }
            (false, Some(_)) => {
                return wrong(
                    "/split",
                    "`isolate` says already who is cut off",
                    "leave one of them out",
                );
            }
            _ => {}
        }
        match (self.direction, self.split, self.how) {
            (Direction::Both, ..) => Ok(()),
            (_, Some(_), _) => wrong(
                "/direction",
                "of a split neither side is the isolated one",
                "use `isolate`",
            ),
            (_, _, Some(Cut::Refuse | Cut::Reset | Cut::HalfOpen)) => wrong(
                "/how",
                "in one direction alone bytes can only vanish",
                "leave `how` out",
            ),
            _ => Ok(()),
        }
    }

    /// What holds at a link which an isolated copy opens, or one that leads to such a copy.
    fn condition_at(&self, isolated_connects: bool) -> Condition {
        let way = match (self.direction, isolated_connects) {
            (Direction::Both, _) => return Condition::Cut(self.how.unwrap_or(Cut::BlackHole)),
            (Direction::Out, true) | (Direction::In, false) => Way::Up,
            (Direction::Out, false) | (Direction::In, true) => Way::Down,
        };
        impaired(Impair::Silence, way, None)
    }
}

impl Split {
    /// Whether the copies at two places of the order are parted, of `all`.
    fn parts(self, one: usize, other: usize, all: usize) -> bool {
        match self {
            Split::Halves => (one < all / 2) != (other < all / 2),
            Split::Majority => {
                let minority = all.saturating_sub(1) / 2;
                (one < minority) != (other < minority)
            }
            Split::Ring => {
                let distance = one.abs_diff(other);
                // A majority is more than half: itself, and so many on either side.
                distance.min(all - distance) > (all / 2).div_ceil(2)
            }
            Split::Bridge => {
                let half = all.saturating_sub(1) / 2;
                one != 0 && other != 0 && (one <= half) != (other <= half)
            }
        }
    }
}

/// The copies a name stands for: all of a service, or one.
fn members(name: &str, facts: &Facts) -> Vec<Instance> {
    if let Some(service) = facts.services.get(name) {
        return (1..=service.replicas).map(|index| Instance::new(name, index)).collect();
    }
    let there = |copy: &Instance| {
        facts
            .services
            .get(&copy.service)
            .is_some_and(|service| (1..=service.replicas).contains(&copy.index))
    };
    name.parse().ok().filter(there).into_iter().collect()
}

/// Every link that squall's proxies carry: the copy that connects, and the copy it is connected to.
fn links(facts: &Facts) -> Vec<(Instance, Instance)> {
    let mut all = Vec::new();
    for (name, service) in &facts.services {
        for from in (1..=service.replicas).map(|index| Instance::new(name, index)) {
            for to in &service.links {
                let copies = facts.services.get(to).map_or(0, |to| to.replicas);
                all.extend(from.called(to, copies).map(|called| (from.clone(), called)));
            }
        }
    }
    all
}

fn uncrossed(facts: &Facts) -> Uncut {
    let all: Vec<String> = links(facts)
        .into_iter()
        .map(|(from, to)| format!("{from}->{to}"))
        .collect();
    let help = match all.is_empty() {
        true => "squall parts what its proxies carry: name each service's `links` in the system file".to_owned(),
        false => format!("squall parts what its proxies carry: {}", all.join(", ")),
    };
    (
        String::new(),
        "no link crosses from one side to the other".to_owned(),
        help,
    )
}

/// Fisher and Yates's shuffle.
fn shuffle<T>(all: &mut [T], rng: &mut impl rand::Rng) {
    for last in (1..all.len()).rev() {
        all.swap(last, rng.random_range(0..=last));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Document;
    use crate::fault::Fault;
    use crate::system::System;
    use rand::SeedableRng;
    use rand_chacha::ChaCha12Rng;

    /// Two workers and a server use a database; workers of five call each other's keeper.
    const SYSTEM: &str = "
system: x
entry: server
services:
  server: { run: x, links: [db] }
  worker: { run: x, links: [db, partner], replicas: 2 }
  db: { run: x }
  partner: { run: x }
";

    fn cut(text: &str) -> Result<Vec<String>, Uncut> {
        let facts = System::read(&Document::parse("system.yaml", SYSTEM).unwrap())
            .unwrap()
            .facts();
        let doc = Document::parse("f.yaml", &format!("partition: {{ {text}, for: 1s }}")).unwrap();
        let Fault::Partition(partition) = doc.read().unwrap() else {
            panic!("no partition")
        };
        let crossings = partition.crossings(&facts, &mut ChaCha12Rng::seed_from_u64(3))?;
        let told = |it: Crossing| match it.condition {
            Condition::Impaired(silence) => format!("{}->{} {:?}", it.from, it.to, silence.way),
            other => format!("{}->{} {}", it.from, it.to, other.word()),
        };
        Ok(crossings.into_iter().map(told).collect())
    }

    #[test]
    fn what_is_isolated_loses_the_links_it_opens_and_those_to_it_and_no_others() {
        for (text, links) in [
            (
                "isolate: [db]",
                vec![
                    "server-1->db cut (black hole)",
                    "worker-1->db cut (black hole)",
                    "worker-2->db cut (black hole)",
                ],
            ),
            (
                "isolate: [worker-2], how: reset",
                vec!["worker-2->db cut (reset)", "worker-2->partner cut (reset)"],
            ),
            (
                "isolate: [worker, db], how: refuse",
                vec![
                    "server-1->db cut (refused)",
                    "worker-1->partner cut (refused)",
                    "worker-2->partner cut (refused)",
                ],
            ),
            (
                "isolate: [worker-1], direction: out",
                vec!["worker-1->db Up", "worker-1->partner Up"],
            ),
            (
                "isolate: [worker-1], direction: in",
                vec!["worker-1->db Down", "worker-1->partner Down"],
            ),
            (
                "isolate: [partner], direction: out",
                vec!["worker-1->partner Down", "worker-2->partner Down"],
            ),
            (
                "isolate: [db], seen_by: [server]",
                vec!["server-1->db cut (black hole)"],
            ),
            (
                "isolate: [db], among: [worker-2]",
                vec!["worker-2->db cut (black hole)"],
            ),
        ] {
            assert_eq!(cut(text).unwrap(), links, "{text}");
        }
    }

    #[test]
    fn a_partition_nothing_carries_or_that_contradicts_itself_is_refused_with_its_reason() {
        for (text, key, what, help) in [
            (
                "isolate: [worker], among: [server]",
                "",
                "no link crosses",
                "worker-1->db-1",
            ),
            (
                "split: halves, among: [worker]",
                "",
                "no link crosses",
                "server-1->db-1",
            ),
            (
                "isolate: [wroker]",
                "/isolate/0",
                "no service or copy `wroker`",
                "server-1",
            ),
            ("isolate: [worker-3]", "/isolate/0", "`worker-3`", "server-1"),
            ("how: reset", "", "who is cut off", "isolate"),
            ("isolate: [db], split: ring", "/split", "already", "leave one"),
            ("split: ring, direction: in", "/direction", "neither side", "isolate"),
            ("isolate: [db], direction: in, how: reset", "/how", "vanish", "leave"),
        ] {
            let (at, said, remedy) = cut(text).unwrap_err();
            assert_eq!(at, key, "{text}");
            assert!(said.contains(what) && remedy.contains(help), "{text}: {said}: {remedy}");
        }
        for split in ["halves", "majority", "bridge"] {
            assert!(!cut(&format!("split: {split}")).unwrap().is_empty(), "{split}");
        }
    }

    #[test]
    fn splits_part_whom_they_should() {
        for all in 2..12 {
            let sees = |split: Split, one: usize| {
                (0..all)
                    .filter(|other| *other == one || !split.parts(one, *other, all))
                    .collect::<Vec<_>>()
            };
            for one in 0..all {
                for split in [Split::Halves, Split::Majority, Split::Ring, Split::Bridge] {
                    assert!((0..all).all(|other| split.parts(one, other, all) == split.parts(other, one, all)));
                }
                assert!(sees(Split::Ring, one).len() * 2 > all, "{one} of {all}");
            }
            assert_eq!(sees(Split::Halves, 0).len(), all / 2);
            assert_eq!(sees(Split::Majority, all - 1).len(), all - (all - 1) / 2);
            assert_eq!(sees(Split::Bridge, 0).len(), all);
            if all > 4 {
                let rings: std::collections::BTreeSet<_> = (0..all).map(|one| sees(Split::Ring, one)).collect();
                // A ring of few is seen whole by all.
                assert!(
                    rings.len() == all || sees(Split::Ring, 0).len() == all,
                    "{all}: {rings:?}"
                );
                assert!(sees(Split::Bridge, 1).len() < all);
            }
        }
    }
}
