//! Injecting: one fault in a system that is up, for so long and no longer, whoever goes away meanwhile.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use squall_core::diagnostic::Mistakes;
use squall_core::document::Document;
use squall_core::event::{Fact, LinkCounts, ShortageLook, SkewLook, Untouched};
use squall_core::fault::Fault;
use squall_core::mechanism::refusals;
use squall_core::place::{Condition, Death, Instance, Place};
use squall_core::plan::{Plan, Request, Step, plan};
use squall_core::proof::{felt_on_link, seen_again, seen_outstayed, seen_short, seen_skewed};
use squall_core::scenario::{Scenario, ad_hoc};
use tokio::time::{sleep, timeout};

use super::Up;
use super::hands::refused;
use crate::control::{Answers, Injection, Reply};
use crate::processes;
use crate::survey::survey;
use crate::world::Trouble;

/// What a fault does to a process is seen within this, or not at all.
const SEEN: Duration = Duration::from_secs(2);
/// How often is looked whether it is.
const LOOK: Duration = Duration::from_millis(10);
/// What is watched while it holds is looked at this often.
const SEE: Duration = Duration::from_millis(200);

/// One place a fault holds at.
struct Strike {
    step: usize,
    place: Place,
    condition: Condition,
    /// What was seen of it, where it is short of something, or its clock is wrong.
    looks: Vec<((), ShortageLook)>,
    clocks: Vec<((), SkewLook)>,
    /// What showed its effect: or what was looked for in vain.
    seen: Result<String, String>,
}

impl Up {
    /// Puts a fault in force, holds it, and heals it: when its time is over, when who asked for it goes away, and when
    /// the system ends.
    pub(super) async fn inject(&self, wanted: &Injection, answers: &Answers) -> Reply {
        let planned = match self.planned(wanted) {
            Ok(planned) => planned,
            Err(refusal) => return refusal,
        };
        let mut strikes = match self.claim(&planned) {
            Ok(strikes) => strikes,
            Err(why) => {
                return refused(
                    &format!("`{}` can't be put in force: {why}", wanted.fault),
                    "try again later",
                );
            }
        };
        let (begun, lasts) = (Instant::now(), Duration::from_millis(wanted.millis));
        let mut failed = None;
        for strike in &mut strikes {
            if let Err(trouble) = self.strike(strike).await {
                failed = Some(trouble);
                break;
            }
        }
        if failed.is_none() {
            let names = told(&strikes, |strike| {
                format!("{} {}", strike.place, strike.condition.word())
            });
            let text = format!("{names}; will be healed after {lasts:?}, or on Ctrl-C");
            answers.send(Reply::Said(text)).await;
            let mut down = self.down.subscribe();
            tokio::select! {
                () = self.watch(&mut strikes, lasts.saturating_sub(begun.elapsed())) => {}
                () = answers.asker_is_gone() => {}
                _ = down.wait_for(|down| *down) => {}
            }
        }
        let held = begun.elapsed();
        let mut unhealed = Vec::new();
        for strike in &mut strikes {
            if let Err(trouble) = self.heal(strike).await {
                let cause = self.recorder.secrets().mask(&trouble.to_string());
                unhealed.push(format!("{} could not be healed: {cause}", strike.place));
            }
        }
        if !unhealed.is_empty() {
            return Reply::Unhealed(unhealed.join("; "));
        }
        let journal = || self.recorder.flush().map_err(Trouble::io("the journal"));
        if let Some(trouble) = failed.or_else(|| journal().err()) {
            let cause = self.recorder.secrets().mask(&trouble.to_string());
            return Reply::Failed(format!("{cause}; what was in force by then is healed"));
        }
        outcome(&strikes, held)
    }

    /// The plan of the one fault, drawn as a scenario's would be.
    fn planned(&self, wanted: &Injection) -> Result<Plan, Reply> {
        let lasts = wanted.lasts().map_err(|error| refused(&error, "write it as 10s"))?;
        let (keys, only) = self.copy_named(wanted);
        let text = ad_hoc(&wanted.fault, &keys, lasts).map_err(|(what, remedy)| refused(&what, &remedy))?;
        let doc = Document::parse("inject", &text).map_err(bad)?;
        let scenario = Scenario::read(&doc).map_err(bad)?;
        if let Some((what, remedy)) = scenario.storm.iter().find_map(diskless) {
            return Err(refused(what, remedy));
        }
        let impossible = refusals(&doc, &scenario, &survey());
        if !impossible.is_empty() {
            return Err(bad(doc.mistakes(impossible)));
        }
        let request = Request {
            level: 1,
            level_name: "",
            seed: rand::random(),
            pace: 1.0,
            jobs: 1,
            repeat: "",
        };
        let mut planned = plan(&doc, &scenario, &self.system.facts(), request).map_err(bad)?;
        if let Some(copy) = only {
            for step in &mut planned.steps {
                step.place = Some(step.place_at(copy.clone()));
            }
        }
        Ok(planned)
    }

    /// The keys as a scenario has them, whose faults draw a copy of a service; and the one that was named by hand.
    fn copy_named(&self, wanted: &Injection) -> (Vec<(String, String)>, Option<Instance>) {
        let (mut keys, mut only) = (wanted.keys.clone(), None);
        // How many there shall be is no matter of one copy.
        let drawn = |key: &str| ["on", "from"].contains(&key) && wanted.fault != "scale";
        for (_, value) in keys.iter_mut().filter(|(key, _)| drawn(key)) {
            let mut copies = self.world.instances().into_iter();
            if let Some(copy) = copies.find(|copy| copy.to_string() == *value) {
                value.clone_from(&copy.service);
                only = Some(copy);
            }
        }
        (keys, only)
    }

    /// Claims a place for every step, or for none.
    fn claim(&self, planned: &Plan) -> Result<Vec<Strike>, String> {
        let mut strikes = Vec::new();
        for step in &planned.steps {
            if let Err(why) = self.claim_for(step, &mut strikes) {
                strikes
                    .iter()
                    .for_each(|strike: &Strike| self.claims.release(strike.step));
                return Err(why);
            }
        }
        Ok(strikes)
    }

    fn claim_for(&self, step: &Step, strikes: &mut Vec<Strike>) -> Result<(), String> {
        let facts = self.system.facts();
        let copies = self.world.instances().into_iter();
        let copies: Vec<Instance> = copies.filter(|instance| instance.service == step.service).collect();
        let mut take = |place: Place, condition: &Condition| {
            let number = self.hands.orders.fetch_add(1, Ordering::Relaxed);
            self.claims.take((number, condition), &place, &facts)?;
            strikes.push(Strike {
                step: number,
                place,
                condition: condition.clone(),
                looks: Vec::new(),
                clocks: Vec::new(),
                seen: Err("nothing was seen of it".to_owned()),
            });
            Ok::<(), String>(())
        };
        if let Condition::Replicas(left) = step.condition {
            // Copies come and go one by one: those that are too many go.
            let gone = Condition::Down(Death::Terminate);
            let mut surplus = copies.into_iter().filter(|copy| copy.index > left);
            return surplus.try_for_each(|copy| take(Place::Instance(copy), &gone));
        }
        let up = copies.into_iter().filter(|copy| self.world.pid(copy).is_some());
        let mut places: Vec<Place> = up.map(|copy| step.place_at(copy)).collect();
        if let Some(only) = &step.place {
            places.retain(|place| place == only);
        }
        let turn = usize::try_from(step.rank % places.len().max(1) as u64).unwrap_or(0);
        places.rotate_left(turn);
        let mut last = format!("no copy of {} is up", step.service);
        for place in places {
            match take(place, &step.condition) {
                Ok(()) => return Ok(()),
                Err(why) => last = why,
            }
        }
        Err(last)
    }

    async fn strike(&self, strike: &mut Strike) -> Result<(), Trouble> {
        let pid = match &strike.place {
            Place::Instance(instance) => self.world.pid(instance),
            _ => None,
        };
        self.recorder
            .record_ahead(Fact::Imposing {
                step: strike.step,
                place: strike.place.clone(),
                condition: strike.condition.clone(),
            })
            .map_err(Trouble::io("the journal"))?;
        self.claims.begin(strike.step);
        self.world
            .impose(&strike.place, || self.claims.wanted(&strike.place))
            .await?;
        self.recorder.record(Fact::Imposed { step: strike.step });
        if let (Place::Instance(_), Some(pid)) = (&strike.place, pid)
            && !strike.condition.is_watched()
        {
            strike.seen = match (&strike.condition, &strike.place) {
                (Condition::Damaged(damage), Place::Instance(instance)) => match self.world.damaged(instance).await {
                    0 => Err(format!(
                        "no file of its own that fits {} was read back changed",
                        damage.files
                    )),
                    spots => Ok(format!("{spots} {}, written and read back", damage.how.word())),
                },
                (condition, _) => process_seen(pid, condition).await,
            };
            if let (Place::Instance(instance), Ok(seen)) = (&strike.place, &mut strike.seen)
                && let Some(grace) = self.world.outstayed(instance)
            {
                *seen += &format!("; {}", seen_outstayed(instance, grace));
            }
        }
        Ok(())
    }

    /// Waits as long as a fault holds. What is watched is looked at meanwhile, and at last.
    async fn watch(&self, strikes: &mut [Strike], lasts: Duration) {
        let until = Instant::now() + lasts;
        loop {
            let over = Instant::now() >= until;
            for strike in strikes.iter_mut() {
                self.look(strike).await;
            }
            if over {
                break;
            }
            sleep(SEE.min(until.saturating_duration_since(Instant::now()))).await;
        }
    }

    async fn look(&self, strike: &mut Strike) {
        let Place::Instance(instance) = &strike.place else {
            return;
        };
        let Some(fact) = self.world.look(instance, &strike.condition, strike.step).await else {
            return;
        };
        let seen = match (&fact, &strike.condition) {
            (Fact::Shortage { look, .. }, Condition::Short(shortage)) => {
                strike.looks.push(((), *look));
                seen_short(shortage, &strike.looks)
            }
            (Fact::Skew { look, .. }, Condition::Skewed(skew)) => {
                strike.clocks.push(((), *look));
                seen_skewed(*skew, &strike.clocks)
            }
            _ => return,
        };
        strike.seen = seen.map(|((), what)| what);
        self.recorder.record(fact);
    }

    async fn heal(&self, strike: &mut Strike) -> Result<(), Trouble> {
        if let Some(counts) = self.world.counts(&strike.place, &strike.condition) {
            let untouched = self.world.untouched(&strike.place);
            strike.seen = link_seen(&strike.condition, &counts, &untouched);
            self.recorder.record(Fact::Traffic {
                step: strike.step,
                place: strike.place.clone(),
                counts,
            });
        }
        if let (Condition::Down(death), Place::Instance(instance)) = (&strike.condition, &strike.place)
            && death.recurs()
            && let Ok(first) = &strike.seen
        {
            strike.seen = seen_again(first, *death, self.world.falls(instance));
        }
        self.lift(strike.step, &strike.place).await?;
        match &strike.place {
            Place::Instance(instance) => self.recovered(instance, &strike.condition).await,
            _ => Ok(()),
        }
    }
}

/// What is said of a fault whose disk is made for a storm alone, and what to do instead.
fn diskless(fault: &Fault) -> Option<(&'static str, &'static str)> {
    match fault {
        Fault::DiskFull(_) => Some((
            "in a system that is up no copy has a disk of its own, and the machine's is not squall's to fill",
            "write a scenario: `squall run` makes a disk for each copy whose disk its storm fills",
        )),
        Fault::DiskSlow(_) => Some((
            "in a system that is up no copy has a disk of its own, and the machine's is not squall's to slow down",
            "write a scenario: `squall run` makes a disk for each copy whose disk is slow in its storm",
        )),
        Fault::PowerLoss(_) => Some((
            "in a system that is up no copy has a disk of its own, and the machine's is not squall's to cut off",
            "write a scenario: `squall run` makes a disk for each copy whose machine loses its power in its storm",
        )),
        _ => None,
    }
}

/// What is wrong with what was ordered. It stands in no file: where it would stand says nothing.
fn bad(mistakes: Mistakes) -> Reply {
    let all = mistakes.list().iter();
    let (what, help): (Vec<_>, Vec<_>) = all
        .map(|mistake| (mistake.message.clone(), mistake.help.clone()))
        .unzip();
    let help: Vec<String> = help.into_iter().flatten().collect();
    let remedy = match help.is_empty() {
        true => "see `squall list faults` and the book's page on faults".to_owned(),
        false => help.join("; "),
    };
    refused(&what.join("; "), &remedy)
}

/// What the proxy of a link counted.
fn link_seen(condition: &Condition, counts: &LinkCounts, untouched: &[Untouched]) -> Result<String, String> {
    match felt_on_link(condition, counts) {
        Some((0, _)) if !untouched.is_empty() => Err(format!(
            "none of {} requests was taken: {} passed",
            counts.requests,
            Untouched::words(untouched)
        )),
        Some((0, _)) | None => Err("nobody used it meanwhile".to_owned()),
        Some((count, what)) => Ok(format!("{count} {what}")),
    }
}

/// What became of a process, looked at as long as it may take.
async fn process_seen(pid: u32, condition: &Condition) -> Result<String, String> {
    let (what, holds): (_, fn(u32) -> bool) = match condition {
        Condition::Frozen => ("stands still", |pid| {
            let all = processes::tree(pid);
            let still = |pid: &u32| processes::stat(*pid).is_none_or(|stat| stat.state == 'T');
            !all.is_empty() && all.iter().all(still)
        }),
        _ => ("is gone", |pid| !processes::runs(pid)),
    };
    let seen = timeout(SEEN, async {
        while !holds(pid) {
            sleep(LOOK).await;
        }
    });
    match seen.await {
        Ok(()) => Ok(format!("process {pid} {what}")),
        Err(_) => Err(format!("process {pid} was not seen to be so within {SEEN:?}")),
    }
}

fn told(strikes: &[Strike], one: impl Fn(&Strike) -> String) -> String {
    strikes.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// One effect that was seen is a proof, as in a storm; what else was not is said.
fn outcome(strikes: &[Strike], held: Duration) -> Reply {
    let text = told(strikes, |strike| {
        let seen = strike.seen.as_ref().unwrap_or_else(|vain| vain);
        format!("{} {}: {seen}", strike.place, strike.condition.word())
    });
    let text = format!("{text}; healed after {:.2} s", held.as_secs_f64());
    match strikes.iter().any(|strike| strike.seen.is_ok()) {
        true => Reply::Done(text),
        false => Reply::Unproven(text),
    }
}
