//! Locks: one holder at a time, tokens that grow, and nothing of one who lost the lock in what it guards.

use std::collections::BTreeMap;

use proptest::prelude::*;
use squall_core::check::{Outcome as Came, Verdict};
use squall_core::contract::Object;
use squall_core::demand::Demand;
use squall_core::event::{Act, Answer, Fact, Outcome, Phase, Role, Touch};

use super::run::{MS, Run, SEC, op};

/// A lease, in milliseconds.
const LEASE: u64 = 1000;
/// When the audit begins, in milliseconds of the storm.
const AUDIT: u64 = 60_000;

/// One request: when, what came of it, what it was.
type Asked = (u64, u64, Outcome, Act);

fn run(asked: &[Asked]) -> Run {
    let mut run = Run::sound();
    run.header.plan.checks = vec![Demand::MutualExclusion, Demand::Fenced];
    run.header.plan.steps.clear();
    run.facts.clear();
    let storm = 4 * SEC;
    let audit = storm + AUDIT * MS;
    for (at, phase) in [(0, Phase::Start), (3 * SEC, Phase::Storm), (audit, Phase::Audit)] {
        run.add(at, Fact::Phase(phase));
    }
    for (call, ret, outcome, act) in asked {
        let mut op = op("locks", Role::Touch, storm + call * MS);
        op.ret = storm + ret * MS;
        op.outcome = *outcome;
        op.status = match outcome {
            Outcome::Ok => Some(200),
            Outcome::Failed => Some(409),
            Outcome::Unknown => None,
        };
        op.touch = Some(Touch {
            of: Object::Lock,
            name: "l1".to_owned(),
            session: None,
            to: None,
            act: act.clone(),
        });
        run.add(op.ret, Fact::Op(op));
    }
    run
}

fn acquire(call: u64, ret: u64, owner: &str, token: i64) -> Asked {
    let (owner, token) = (owner.to_owned(), Some(token));
    (call, ret, Outcome::Ok, Act::Acquire { owner, token })
}

fn refused(call: u64, ret: u64, owner: &str) -> Asked {
    let (owner, token) = (owner.to_owned(), None);
    (call, ret, Outcome::Failed, Act::Acquire { owner, token })
}

fn append(call: u64, ret: u64, outcome: Outcome, (owner, mark): (&str, &str)) -> Asked {
    let (owner, mark) = (owner.to_owned(), mark.to_owned());
    (call, ret, outcome, Act::Append { owner, mark })
}

fn release(call: u64, ret: u64, owner: &str) -> Asked {
    let owner = owner.to_owned();
    (call, ret, Outcome::Ok, Act::Release { owner })
}

fn ledger(marks: &[&str]) -> Asked {
    let marks = Some(marks.iter().map(|mark| (*mark).to_owned()).collect());
    (AUDIT, AUDIT + 1, Outcome::Ok, Act::Ledger { marks })
}

/// `a` holds the lock and stands still past its lease; `b` gets it then; `a` comes back and is refused.
fn sound() -> Vec<Asked> {
    vec![
        acquire(0, 10, "a", 1),
        append(20, 25, Outcome::Ok, ("a", "a1")),
        refused(30, 35, "b"),
        acquire(1020, 1025, "b", 2),
        append(1030, 1040, Outcome::Ok, ("b", "b1")),
        append(600, 1500, Outcome::Failed, ("a", "a2")),
        release(1600, 1605, "b"),
        ledger(&["a1", "b1"]),
    ]
}

#[track_caller]
fn comes(asked: &[Asked], check: &str, outcome: Came, says: &str) -> Verdict {
    let verdict = run(asked).verdict(check);
    assert_eq!(verdict.outcome, outcome, "{}", verdict.says);
    assert!(verdict.says.contains(says), "{}", verdict.says);
    verdict
}

#[track_caller]
fn finds(asked: &[Asked], check: &str, class: &str, says: &str) {
    let verdict = comes(asked, check, Came::Fail, says);
    assert_eq!(verdict.class.as_deref(), Some(class), "{}", verdict.says);
    assert!(!verdict.evidence.is_empty());
    assert_eq!(run(asked).findings().len(), 1, "{:?}", run(asked).findings());
}

#[test]
fn a_lock_that_changes_hands_after_its_lease_is_sound_where_the_late_holder_is_refused() {
    let says = "2 holds, 1 request for a lock that was another's, never two holders at a time; 1 holder went on";
    comes(&sound(), "mutual_exclusion", Came::Pass, says);
    let says = "in the order of their holds: 3 appends; refused of holders whose lock was another's by then: 1 append";
    comes(&sound(), "fenced", Came::Pass, says);
}

#[test]
fn a_late_holders_append_after_the_next_ones_is_unsafe() {
    let mut asked = sound();
    asked[5].2 = Outcome::Ok;
    asked[7] = ledger(&["a1", "b1", "a2"]);
    finds(&asked, "fenced", "unsafe-after-expiry", "a2 in l1 after b");
    // The same where nobody knows what came of it: there it is.
    asked[5].2 = Outcome::Unknown;
    finds(
        &asked,
        "fenced",
        "unsafe-after-expiry",
        "behind what a later holder appended: 1 append",
    );
    // It may have come in time.
    asked[7] = ledger(&["a1", "a2", "b1"]);
    comes(
        &asked,
        "fenced",
        Came::Inconclusive,
        "freeze a holder for longer than its lease",
    );
}

#[test]
fn an_acknowledged_append_that_is_not_there_is_lost() {
    let mut asked = sound();
    asked[7] = ledger(&["a1"]);
    finds(
        &asked,
        "fenced",
        "lost-append",
        "not there at the audit: 1 acknowledged append",
    );
}

#[test]
fn a_lock_that_is_given_twice_is_a_violation_and_only_where_it_is_certain() {
    let mut asked = sound();
    asked[3] = acquire(500, 505, "b", 2);
    finds(&asked, "mutual_exclusion", "mutex-violation", "l1 by a and b");
    // Given back before: it is anybody's.
    asked.push(release(400, 520, "a"));
    comes(&asked, "mutual_exclusion", Came::Pass, "never two holders");
    // The lease counts from when it was asked for: what comes later proves nothing.
    let mut asked = sound();
    asked[3] = acquire(990, 1000, "b", 2);
    comes(&asked, "mutual_exclusion", Came::Pass, "never two holders");
    asked[3] = acquire(990, 999, "b", 2);
    finds(
        &asked,
        "mutual_exclusion",
        "mutex-violation",
        "1 lock given to one while",
    );
}

#[test]
fn a_token_that_does_not_grow_is_found() {
    for token in [1, 0] {
        let mut asked = sound();
        asked[3] = acquire(1020, 1025, "b", token);
        finds(
            &asked,
            "mutual_exclusion",
            "token-regress",
            &format!("b got {token} after 1"),
        );
    }
}

#[test]
fn what_was_not_put_to_the_test_is_not_passed() {
    comes(&[], "mutual_exclusion", Came::Inconclusive, "no lock was acquired");
    comes(&[], "fenced", Came::Inconclusive, "nothing was appended");
    let alone = [
        acquire(0, 10, "a", 1),
        append(20, 25, Outcome::Ok, ("a", "a1")),
        ledger(&["a1"]),
    ];
    comes(
        &alone,
        "mutual_exclusion",
        Came::Inconclusive,
        "nobody asked for a lock",
    );
    comes(&alone, "fenced", Came::Inconclusive, "none came from a holder");
    comes(
        &alone[..2],
        "fenced",
        Came::Inconclusive,
        "was not read at the audit: l1",
    );
    // A late append that failed for another reason than the lock shows nothing.
    for (outcome, answer) in [(Outcome::Unknown, Answer::Refused), (Outcome::Failed, Answer::Wrong)] {
        let mut run = run(&sound());
        run.each(|_, fact| {
            if let Fact::Op(op) = fact
                && op.outcome == Outcome::Failed
                && matches!(op.touch.as_ref().map(|touch| &touch.act), Some(Act::Append { .. }))
            {
                (op.outcome, op.answer) = (outcome, answer);
            }
        });
        let verdict = run.verdict("fenced");
        assert_eq!(verdict.outcome, Came::Inconclusive, "{}", verdict.says);
    }
    let unread = sound();
    comes(
        &unread[..7],
        "fenced",
        Came::Inconclusive,
        "was not read at the audit: l1",
    );
    let idle = [acquire(0, 10, "a", 1), ledger(&[])];
    comes(&idle, "fenced", Came::Inconclusive, "nothing was appended");
}

/// What a lock service gets wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Bug {
    None,
    /// Gives a lock away after half its lease.
    Hasty,
    /// Now and then forgets which token it gave last.
    Forgetful,
    /// Takes whatever is appended.
    Unfenced,
}

/// Xorshift: good enough to be irregular.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }
}

/// A lock service with one lock. It shares no code with the checks.
struct Service {
    bug: Bug,
    token: i64,
    until: u64,
    holder: String,
    fence: i64,
    tokens: BTreeMap<String, i64>,
    marks: Vec<String>,
}

impl Service {
    /// Does what it is asked to at a moment, or not.
    fn does(&mut self, act: &mut Act, now: u64, dice: &mut Dice) -> bool {
        match act {
            Act::Acquire { owner, token } => {
                if now < self.until {
                    return false;
                }
                let forgets = self.bug == Bug::Forgetful && dice.below(4) == 0;
                self.token = if forgets { 1 } else { self.token + 1 };
                self.until = now + if self.bug == Bug::Hasty { LEASE / 2 } else { LEASE };
                self.holder.clone_from(owner);
                self.tokens.insert(owner.clone(), self.token);
                *token = Some(self.token);
                true
            }
            Act::Append { owner, mark } => {
                let own = self.tokens[owner.as_str()];
                if self.bug != Bug::Unfenced && own < self.fence {
                    return false;
                }
                self.fence = own.max(self.fence);
                self.marks.push(mark.clone());
                true
            }
            Act::Release { owner } => {
                if self.holder == *owner {
                    self.until = 0;
                }
                true
            }
            _ => false,
        }
    }
}

/// What a client does next, and when it takes effect.
struct Next {
    call: u64,
    effect: u64,
    act: Act,
}

fn wants(client: usize, turn: u64) -> Act {
    let owner = format!("{client}-{turn}");
    Act::Acquire { owner, token: None }
}

/// What a client does after it was granted something: appends twice and gives the lock back.
fn after(act: &Act) -> Option<Act> {
    let append = |owner: &str, which: &str| Act::Append {
        owner: owner.to_owned(),
        mark: format!("{owner}-{which}"),
    };
    match act {
        Act::Acquire { owner, .. } => Some(append(owner, "first")),
        Act::Append { owner, mark } if mark.ends_with("first") => Some(append(owner, "last")),
        Act::Append { owner, .. } => Some(Act::Release { owner: owner.clone() }),
        _ => None,
    }
}

/// A lock service and four clients, moment by moment.
fn simulated(bug: Bug, seed: u64) -> Vec<Asked> {
    let dice = &mut Dice(seed | 1);
    let mut asked: Vec<Asked> = Vec::new();
    let mut service = Service {
        bug,
        token: 0,
        until: 0,
        holder: String::new(),
        fence: 0,
        tokens: BTreeMap::new(),
        marks: Vec::new(),
    };
    let mut clients: Vec<Next> = Vec::new();
    for client in 0..4 {
        let (call, effect, act) = (dice.below(50), 60, wants(client, 0));
        clients.push(Next { call, effect, act });
    }
    for turn in 1.. {
        let soonest = clients.iter().enumerate().map(|(client, next)| (next.effect, client));
        let Some((now, client)) = soonest.min().filter(|(now, _)| *now < AUDIT - 10_000) else {
            break;
        };
        let next = &mut clients[client];
        let done = service.does(&mut next.act, now, dice);
        let outcome = if done { Outcome::Ok } else { Outcome::Failed };
        let answered = now + 1 + dice.below(15);
        asked.push((next.call, answered, outcome, next.act.clone()));
        let held = done && matches!(next.act, Act::Append { .. });
        // Who holds it appends a while later; now and then it stands still for longer than its lease.
        let pause = dice.below(20) + if held { 300 } else { 30 };
        let takes = 1 + dice.below(15) + if held && dice.below(3) == 0 { 1200 } else { 0 };
        let act = after(&next.act).filter(|_| done).unwrap_or_else(|| wants(client, turn));
        let call = answered + pause;
        let effect = call + takes;
        *next = Next { call, effect, act };
    }
    let marks: Vec<&str> = service.marks.iter().map(String::as_str).collect();
    asked.push(ledger(&marks));
    asked
}

fn classes(bug: Bug, seed: u64) -> Vec<String> {
    let found = run(&simulated(bug, seed)).findings().into_iter();
    found.map(|(_, class)| class).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_sound_service_is_never_accused_and_is_put_to_the_test(seed in any::<u64>()) {
        let judgement = run(&simulated(Bug::None, seed)).judge();
        for verdict in judgement.verdicts {
            prop_assert_eq!(verdict.outcome, Came::Pass, "{}", verdict.says);
        }
    }

    #[test]
    fn each_defect_is_found_by_its_class(seed in any::<u64>()) {
        prop_assert_eq!(classes(Bug::Unfenced, seed), ["unsafe-after-expiry"]);
        prop_assert!(classes(Bug::Hasty, seed).contains(&"mutex-violation".to_owned()));
        prop_assert!(classes(Bug::Forgetful, seed).contains(&"token-regress".to_owned()));
    }
}
