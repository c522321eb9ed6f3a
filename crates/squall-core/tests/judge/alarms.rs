//! Alarms of the system's own monitoring: noticed, unnoticed, false, and not read at all.

use squall_core::check::Outcome as Came;
use squall_core::demand::{Alarmed, Demand};
use squall_core::event::{AlarmState, Fact};
use squall_core::place::{Condition, Cut, Death};

use super::run::{MS, OUTAGE, Run, SEC, place};

use AlarmState::{Ringing, Silent, Unread};

/// A sound run whose alarm was seen to change so; it shall ring within 2 s of the database's loss.
fn alarmed(changes: &[(u64, AlarmState)]) -> Run {
    let mut run = Run::sound();
    run.header.plan.checks = vec![Demand::Alarmed(Alarmed {
        by: "database".to_owned(),
        of: "db".to_owned(),
        within: "2s".parse().expect("a duration"),
    })];
    run.header.system.alarms = vec!["database".to_owned()];
    for (at, state) in changes {
        let of = "database".to_owned();
        run.add(*at, Fact::Alarm { of, state: *state });
    }
    run
}

/// An alarm that is silent, rings so long after the loss, and is silent so long after the return.
fn rings(after: u64, still: u64) -> [(u64, AlarmState); 3] {
    [
        (600 * MS, Silent),
        (OUTAGE.from + after, Ringing),
        (OUTAGE.to + still, Silent),
    ]
}

#[track_caller]
fn unsure(run: &Run, why: &str) {
    let verdict = run.verdict("alarmed");
    assert_eq!(verdict.outcome, Came::Inconclusive, "{}", verdict.says);
    assert!(verdict.says.contains(why), "{}", verdict.says);
}

#[test]
fn an_alarm_in_time_passes_and_one_that_comes_late_or_never_is_a_loss_unnoticed() {
    let run = alarmed(&rings(1_200 * MS, 500 * MS));
    run.finds(&[]);
    let verdict = run.verdict("alarmed");
    assert_eq!((verdict.outcome, verdict.checked), (Came::Pass, 1), "{}", verdict.says);
    assert!(verdict.says.contains("of 1 outage of db"), "{}", verdict.says);
    alarmed(&rings(2_300 * MS, 500 * MS)).finds(&["alarmed: unnoticed"]);
    alarmed(&[(600 * MS, Silent)]).finds(&["alarmed: unnoticed"]);
    // That it can't be read is one thing, that it says nothing is wrong another.
    let gone = [
        (600 * MS, Silent),
        (OUTAGE.from + 100 * MS, Unread),
        (OUTAGE.to, Silent),
    ];
    unsure(&alarmed(&gone), "could not be read in 1 outage");
    let back = [(600 * MS, Unread), (OUTAGE.from + SEC, Silent)];
    alarmed(&back).finds(&["alarmed: unnoticed"]);
}

#[test]
fn an_alarm_that_stays_or_comes_by_itself_is_a_false_one() {
    alarmed(&rings(SEC, 2_500 * MS)).finds(&["alarmed: false-alarm"]);
    let [silent, rang, again] = rings(SEC, 500 * MS);
    alarmed(&[silent, rang]).finds(&["alarmed: false-alarm"]);
    let odd = [silent, (2 * SEC, Ringing), (2_200 * MS, Silent), rang, again];
    alarmed(&odd).finds(&["alarmed: false-alarm"]);
    // While the system starts, and while another part is broken, it may well ring.
    let starting = [(600 * MS, Ringing), (1_200 * MS, Silent), rang, again];
    alarmed(&starting).finds(&[]);
    let killed = [silent, (5_600 * MS, Ringing), (6_500 * MS, Silent), rang, again];
    alarmed(&killed).finds(&[]);
}

#[test]
fn what_was_not_gone_for_long_demands_nothing_and_proves_nothing() {
    unsure(&alarmed(&[]), "never read");
    unsure(&alarmed(&[(600 * MS, Unread)]), "never read");
    for change in [
        |run: &mut Run| {
            run.header.plan.checks = vec![Demand::Alarmed(Alarmed {
                by: "database".to_owned(),
                of: "db".to_owned(),
                within: "10s".parse().expect("a duration"),
            })];
        },
        |run: &mut Run| {
            run.header.system.services.get_mut("db").expect("db").replicas = 2;
        },
        |run: &mut Run| {
            run.each(|_, fact| {
                if let Fact::Imposing { condition, .. } = fact
                    && *condition == Condition::Down(Death::Stop)
                {
                    *condition = Condition::Frozen;
                }
            });
        },
    ] {
        let mut run = alarmed(&[(600 * MS, Silent)]);
        change(&mut run);
        unsure(&run, "nothing of db was gone for longer than");
    }
}

#[test]
fn a_cut_link_of_the_entry_service_is_a_loss_and_one_of_another_is_none() {
    for (from, found) in [("server-1->db", &["unnoticed"][..]), ("worker-1->db", &[])] {
        let mut run = alarmed(&[(600 * MS, Silent)]);
        run.each(|_, fact| {
            if let Fact::Imposing {
                step: 1,
                place: at,
                condition,
            } = fact
            {
                *at = place(from);
                *condition = Condition::Cut(Cut::Refuse);
            }
        });
        let classes: Vec<String> = run.findings().into_iter().map(|(_, class)| class).collect();
        assert_eq!(classes, found, "{from}");
    }
}
