//! What a client of each kind of object does in its turn, and what it reads out of the answers.

use std::time::{Duration, Instant};

use serde_json::Value;
use squall_core::contract::{Counters, Locks, Object, Verb};
use squall_core::event::{Act, Answer, Outcome};
use tokio::time::sleep;

use super::{Ask, Held, Session};
use crate::client::Operated;

/// Every so many turns a counter is read, too.
const READ: usize = 4;

impl Session {
    /// Adds one; now and then reads.
    pub(super) async fn count(&mut self, counters: &Counters, object: &str, turn: usize) {
        let ask = |key, verb, names| Ask {
            key,
            verb,
            headers: &counters.headers,
            object,
            names,
        };
        let shows = counters.add.shows.as_deref();
        let add = ask("add", &counters.add, self.names(object));
        self.ask(add, |done| Act::Add {
            value: number(done, shows),
        })
        .await;
        if turn % READ == READ - 1 {
            let read = ask("read", &counters.read, self.names(object));
            self.ask(read, |done| looked(Object::Counter, done, &counters.read))
                .await;
        }
    }

    /// Acquires the lock, appends, holds it, appends again and gives it back.
    pub(super) async fn hold(&mut self, locks: &Locks, object: &str) {
        let owner = self.word();
        let mut names = self.names(object).with("owner", owner.as_str());
        let ask = |key, verb, names| Ask {
            key,
            verb,
            headers: &locks.headers,
            object,
            names,
        };
        let shows = locks.acquire.shows.as_deref();
        let acquire = ask("acquire", &locks.acquire, names.clone());
        let acquired = self.ask(acquire, |done| Act::Acquire {
            owner: owner.clone(),
            token: number(done, shows),
        });
        let (Outcome::Ok, shown) = acquired.await else { return };
        if let Some(token) = shown.into_iter().next() {
            names.set("fence", token);
        }
        let hold = Duration::from_nanos(self.plan.hold);
        let held = Held {
            object: object.to_owned(),
            copy: self.desk.copy.clone(),
            since: Instant::now(),
            hold,
        };
        self.stage.holds.begin(&owner, held);
        let mut kept = true;
        for pause in [Duration::ZERO, hold] {
            sleep(pause).await;
            let mark = self.word();
            let append = ask("append", &locks.append, names.with("mark", mark.as_str()));
            let act = Act::Append {
                owner: owner.clone(),
                mark,
            };
            kept = self.ask(append, |_| act).await.0 == Outcome::Ok;
            if !kept {
                break;
            }
        }
        // Who was refused, or knows nothing, has lost the lock as far as anyone can tell.
        if kept {
            let release = ask("release", &locks.release, names);
            let act = Act::Release { owner: owner.clone() };
            self.ask(release, |_| act).await;
        }
        self.stage.holds.end(&owner);
    }
}

/// What an object showed. One that is not there yet is as it is before anything was done with it.
pub(super) fn looked(of: Object, done: &mut Operated, verb: &Verb) -> Act {
    let absent = done.absent();
    if absent {
        done.judged.answer = Answer::Right;
        done.judged.outcome = Outcome::Ok;
        done.judged.fault = None;
    }
    match of {
        Object::Counter if absent => Act::Read { value: Some(0) },
        Object::Counter => Act::Read {
            value: number(done, verb.shows.as_deref()),
        },
        Object::Lock => {
            let texts = done.shown.iter().map(|mark| mark.as_str().map(str::to_owned));
            let marks = texts.collect::<Option<Vec<_>>>();
            let read = done.judged.outcome == Outcome::Ok && done.judged.answer == Answer::Right;
            if read && marks.is_none() {
                done.misses("marks that are texts");
            }
            Act::Ledger {
                marks: marks.filter(|_| read),
            }
        }
    }
}

/// The number at `shows`, which must be there where something was done; one in quotes is one, too.
fn number(done: &mut Operated, shows: Option<&str>) -> Option<i64> {
    let shows = shows.filter(|_| done.judged.outcome == Outcome::Ok)?;
    let found = match done.shown.as_slice() {
        [Value::String(text)] => text.parse().ok(),
        [value] => value.as_i64(),
        _ => None,
    };
    if found.is_none() {
        done.misses(&format!("whole number at {shows}"));
    }
    found
}
