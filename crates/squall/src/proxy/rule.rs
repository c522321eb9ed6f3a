//! What a list of conditions amounts to.

use std::io;

use squall_core::place::{Condition, Cut, Impairment, Intercept, Share};

/// How a connection is cut. Later ones win over earlier ones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Gate {
    /// It is not.
    #[default]
    Open,
    /// Bytes vanish.
    BlackHole,
    /// The upstream's side is closed, the client's is open and silent.
    HalfOpen,
    /// It is accepted and reset.
    Reset,
    /// Nobody listens, and what is open is reset.
    Refuse,
}

/// One thing that holds on a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Tells it apart from all others on the link, and stays the same for as long as it holds. Chance
    /// depends on it and on nothing else that others do.
    pub key: u64,
    /// What holds.
    pub what: What,
}

/// What can hold on a link.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum What {
    /// Connections are cut, so large a share of them. Refusing knows no shares.
    Cut(Cut, Share),
    /// Bytes are hindered.
    Impaired(Impairment),
    /// Requests are picked out; of several such things the first one holds.
    Intercepted(Intercept),
}

/// Everything that holds on a link, in the order in which bytes meet it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Rules(Vec<Wanted>);

impl Rules {
    /// The rules of a list of conditions: any cut wins over whatever hinders, the harder cut over the softer.
    /// The same conditions in another order are the same rules.
    ///
    /// # Errors
    /// Says so when a condition is not one for a link.
    pub(super) fn of(conditions: &[Condition]) -> io::Result<Self> {
        let mut cuts = Vec::new();
        let mut impairments = Vec::new();
        let mut intercepts = Vec::new();
        for condition in conditions {
            match condition {
                Condition::Cut(how) => cuts.push(What::Cut(*how, Share::ALL)),
                Condition::Impaired(impairment) => impairments.push(*impairment),
                Condition::Intercepted(intercept) => intercepts.push(intercept.clone()),
                Condition::Down(_)
                | Condition::Frozen
                | Condition::Short(_)
                | Condition::Damaged(_)
                | Condition::Skewed(_)
                | Condition::Replicas(_) => {
                    let why = format!("a link cannot be '{}'", condition.word());
                    return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
                }
            }
        }
        impairments.sort_unstable();
        intercepts.sort_unstable();
        let impairments = impairments.into_iter().map(What::Impaired);
        let intercepts = intercepts.into_iter().map(What::Intercepted);
        let all = cuts.into_iter().chain(impairments).chain(intercepts);
        let mut wanted: Vec<Wanted> = Vec::new();
        for what in all {
            let twins = wanted.iter().filter(|other| other.what == what).count() as u64;
            let key = fingerprint(&what).wrapping_add(twins);
            wanted.push(Wanted { key, what });
        }
        Ok(Self(wanted))
    }

    /// The rules of a list whose order and keys somebody else keeps.
    pub(super) fn ordered(wanted: &[Wanted]) -> Self {
        Self(wanted.to_vec())
    }

    /// The rules of a link that is no more.
    pub(super) fn closed() -> Self {
        let what = What::Cut(Cut::Refuse, Share::ALL);
        Self(vec![Wanted { key: 0, what }])
    }

    /// Whether nobody is to listen.
    pub(super) fn refuse(&self) -> bool {
        let refuses = |wanted: &Wanted| matches!(wanted.what, What::Cut(Cut::Refuse, _));
        self.0.iter().any(refuses)
    }

    /// How the connection with this `chance` is cut.
    pub(super) fn gate(&self, chance: impl Fn(u64) -> f64) -> Gate {
        let cuts = self.0.iter().filter_map(|wanted| match &wanted.what {
            What::Cut(Cut::Refuse, _) => Some(Gate::Refuse),
            What::Cut(how, share) if chance(wanted.key) < share.fraction() => Some(match how {
                Cut::BlackHole => Gate::BlackHole,
                Cut::HalfOpen => Gate::HalfOpen,
                Cut::Reset => Gate::Reset,
                Cut::Refuse => Gate::Refuse,
            }),
            What::Cut(..) | What::Impaired(_) | What::Intercepted(_) => None,
        });
        cuts.max().unwrap_or_default()
    }

    /// What hinders the connection with this `chance`, with its key.
    pub(super) fn impairments(&self, chance: impl Fn(u64) -> f64) -> impl Iterator<Item = (u64, Impairment)> {
        self.0.iter().filter_map(move |wanted| match &wanted.what {
            What::Impaired(it) if chance(wanted.key) < it.share.fraction() => Some((wanted.key, *it)),
            What::Cut(..) | What::Impaired(_) | What::Intercepted(_) => None,
        })
    }

    /// Which requests are picked out, with its key.
    pub(super) fn intercept(&self) -> Option<(u64, &Intercept)> {
        self.0.iter().find_map(|wanted| match &wanted.what {
            What::Intercepted(it) => Some((wanted.key, it)),
            What::Cut(..) | What::Impaired(_) => None,
        })
    }
}

/// FNV-1a over what it says: the same for the same condition in every run.
fn fingerprint(what: &What) -> u64 {
    let text = format!("{what:?}");
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    text.bytes().fold(0xcbf2_9ce4_8422_2325, step)
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_core::place::{Death, Impair};
    use std::time::Duration;

    fn delay(latency: u64, jitter: u64) -> Condition {
        Condition::delay(Duration::from_millis(latency), Duration::from_millis(jitter))
    }

    #[test]
    fn any_cut_wins_over_delay_and_the_harder_cut_over_the_softer() {
        let hole = Condition::Cut(Cut::BlackHole);
        let refuse = Condition::Cut(Cut::Refuse);
        let gate = |conditions: &[Condition]| Rules::of(conditions).unwrap().gate(|_| 0.5);
        assert_eq!(gate(&[delay(5, 0), hole.clone()]), Gate::BlackHole);
        assert_eq!(gate(&[refuse, delay(5, 0), hole]), Gate::Refuse);
        assert_eq!(gate(&[delay(5, 0)]), Gate::Open);
    }

    #[test]
    fn the_order_of_conditions_does_not_matter() {
        let (one, other) = (delay(5, 1), delay(30, 0));
        let rules = Rules::of(&[one.clone(), other.clone()]).unwrap();
        assert_eq!(rules, Rules::of(&[other, one]).unwrap());
    }

    #[test]
    fn equal_conditions_have_keys_of_their_own() {
        let rules = Rules::of(&[delay(5, 1), delay(5, 1)]).unwrap();
        assert_ne!(rules.0[0].key, rules.0[1].key);
    }

    #[test]
    fn what_is_not_for_links_is_refused() {
        let error = Rules::of(&[Condition::Down(Death::Kill)]).unwrap_err();
        assert_eq!(error.to_string(), "a link cannot be 'killed'");
    }

    #[test]
    fn a_share_is_met_by_its_part_of_connections() {
        let what = What::Impaired(Impairment {
            share: Share::of(0.3),
            ..Impair::Silence.into()
        });
        let rules = Rules::ordered(&[Wanted { key: 7, what }]);
        assert_eq!(rules.impairments(|_| 0.29).count(), 1);
        assert_eq!(rules.impairments(|_| 0.3).count(), 0);
    }
}
