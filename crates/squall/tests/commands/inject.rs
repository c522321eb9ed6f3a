//! One fault by hand: in force, proven, healed, whoever goes away meanwhile.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use squall_core::event::{Event, Fact};
use squall_core::place::Condition;

use super::place::{Place, Running, free_port, taskhub};
use super::{BUILD, PATIENCE, Up, err, get, said, wait_until};

/// What was done to the system, in order.
fn events(up: &Up) -> Vec<Event> {
    let text = fs::read_to_string(up.folder().join("events.jsonl")).unwrap();
    // The last line may still be on its way.
    text.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

/// How many faults were written down as about to hold, and as healed.
fn counted(up: &Up) -> (usize, usize) {
    let events = events(up);
    let count = |is: fn(&Fact) -> bool| events.iter().filter(|event| is(&event.fact)).count();
    (
        count(|fact| matches!(fact, Fact::Imposing { .. })),
        count(|fact| matches!(fact, Fact::Healed { .. })),
    )
}

/// Whether a service's process stands still.
fn frozen(up: &Up, instance: &str) -> bool {
    let pid = up.service(instance)["pid"].as_u64();
    let stat = pid.map(|pid| fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default());
    stat.is_some_and(|stat| stat.contains(") T "))
}

#[test]
fn a_fault_is_put_in_force_for_so_long_proven_written_down_and_healed() {
    let up = Up::start();
    let first = up.service("worker-1")["pid"].clone();
    let began = Instant::now();
    let killed = up.squall(&["inject", "kill", "on=partner", "--for", "1s"]);
    said(&killed, 0, &["partner-1 killed", "is gone", "healed after 1"]);
    assert!(began.elapsed() >= Duration::from_secs(1));
    assert_eq!(counted(&up), (1, 1));
    assert_eq!(up.service("worker-1")["pid"], first);

    let mut slow =
        Running::start(
            up.place
                .squall(&["inject", "delay", "from=server", "to=db", "latency=50ms", "--for", "5m"]),
        );
    wait_until("the delay", || counted(&up).0 == 2);
    // Nobody is registered without the database.
    said(&up.squall(&["auth"]), 0, &["token"]);
    // Of the same link another hindrance of the kind makes no sense, another kind does.
    let again = up.squall(&["inject", "delay", "from=server", "to=db", "latency=1ms", "--for", "1s"]);
    said(&again, 2, &["server-1->db is delayed", "can't be told apart"]);
    said(&up.squall(&["status"]), 0, &["in force: server-1->db delayed"]);
    let scaled = up.squall(&["inject", "scale", "on=worker", "to=1", "--for", "1s"]);
    said(&scaled, 0, &["worker-2 terminated", "is gone"]);
    kill(Pid::from_raw(slow.child.id() as i32), Signal::SIGINT).unwrap();
    assert_eq!(slow.end(PATIENCE), Some(0), "{:#?}", slow.said);
    // That it ended well says that its effect was seen; here it is.
    let held_back = |fact: &Fact| matches!(fact, Fact::Traffic { counts, .. } if counts.delayed > 0);
    assert!(events(&up).iter().any(|event| held_back(&event.fact)));
    let (imposed, healed) = counted(&up);
    assert_eq!((imposed, healed), (3, 3));
    assert!(!super::out(&up.squall(&["status"])).contains("in force"));
    let conditions: Vec<_> = events(&up)
        .into_iter()
        .filter_map(|event| match event.fact {
            Fact::Imposing { condition, .. } => Some(condition),
            _ => None,
        })
        .collect();
    assert!(matches!(
        conditions[..],
        [Condition::Down(_), Condition::Impaired(_), Condition::Down(_)]
    ));

    // Nobody asks anything of the partner: nothing shows that anybody minded.
    let unfelt = up.squall(&[
        "inject",
        "cut",
        "from=worker",
        "to=partner",
        "how=refuse",
        "--for",
        "300ms",
    ]);
    said(&unfelt, 3, &["no effect was seen", "nobody used it"]);

    // A copy may be named, other than in a storm, where it is drawn.
    let named = up.squall(&["inject", "freeze", "on=worker-2", "--for", "300ms"]);
    said(&named, 0, &["worker-2 frozen"]);
    let named = up.squall(&[
        "inject",
        "cut",
        "from=worker-2",
        "to=partner",
        "how=refuse",
        "--for",
        "300ms",
    ]);
    said(&named, 3, &["worker-2->partner cut"]);
    up.down();
}

/// The soft limit of a service's first process, as the kernel shows it.
fn soft_limit(up: &Up, instance: &str, label: &str) -> String {
    let limits = fs::read_to_string(format!("/proc/{}/limits", up.service(instance)["pid"])).unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix(label)).unwrap();
    line.split_whitespace().next().unwrap().to_owned()
}

/// The processors a service's first process may run on.
fn processors(up: &Up, instance: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{}/status", up.service(instance)["pid"])).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("Cpus_allowed_list"))
        .unwrap();
    line.to_owned()
}

const NOFILE: &str = "Max open files";
const DATA: &str = "Max data size";

#[test]
fn what_a_service_is_short_of_is_seen_and_it_has_all_of_it_again() {
    let up = Up::start();
    let usual = |up: &Up| {
        let limits = [NOFILE, DATA].map(|label| soft_limit(up, "server-1", label));
        (
            processors(up, "server-1"),
            limits,
            up.service("server-1")["pid"].clone(),
        )
    };
    let before = usual(&up);
    // Something is at work: what wants no processor has to wait for none.
    let mut flood =
        Running::start(
            up.place
                .squall(&["flood", "--count", "100000", "--delay", "0.02", "--task-time", "0"]),
        );
    for (fault, says) in [
        (&["cpu_load", "on=server", "share=90%"][..], "waited"),
        (&["memory_load", "on=server", "megabytes=64"], "could get no more than"),
        (&["fds_taken", "on=server"], "connections waited for it"),
        (&["connections_taken", "on=db"], "more refused"),
    ] {
        let held = up.squall(&[&["inject"], fault, &["--for", "3s"]].concat());
        // Whether a busy server asks for more memory meanwhile is its own affair, and said as it was.
        let asked = !err(&held).contains("was not seen to get much of that meanwhile");
        assert!(asked || fault[0] == "memory_load", "{}", err(&held));
        said(&held, if asked { 0 } else { 3 }, &[says, "healed after 3"]);
        assert_eq!(usual(&up), before, "{fault:?}");
    }
    let looks = events(&up);
    let looks = looks.iter().filter(|event| matches!(event.fact, Fact::Shortage { .. }));
    assert!(looks.count() >= 4 * 3);
    assert_eq!(counted(&up), (4, 4));
    // Too few to be told from what would have been free anyway.
    let unfelt = up.squall(&["inject", "fds_taken", "on=server", "left=500", "--for", "500ms"]);
    said(&unfelt, 3, &["no effect was seen", "it had descriptors to come"]);
    let full = up.squall(&["inject", "disk_full", "on=server", "--for", "1s"]);
    said(&full, 2, &["no copy has a disk of its own", "squall run"]);
    let dark = up.squall(&["inject", "power_loss", "on=db", "--for", "1s"]);
    said(&dark, 2, &["no copy has a disk of its own", "cut off", "squall run"]);
    assert_eq!(counted(&up), (5, 5));
    // Not SIGINT: what was started behind a shell ignores it.
    kill(Pid::from_raw(flood.child.id() as i32), Signal::SIGTERM).unwrap();
    flood.end(PATIENCE);
    up.down();
}

#[test]
fn when_squall_is_killed_what_was_used_up_is_gone_with_the_system() {
    for index in [0, 1] {
        let up = Up::start();
        let usual = soft_limit(&up, "server-1", NOFILE);
        let faults: [&[&str]; 4] = [
            &["cpu_load", "on=worker", "share=80%"],
            &["memory_load", "on=server", "megabytes=64"],
            &["fds_taken", "on=server"],
            &["connections_taken", "on=db"],
        ];
        let mut held: Vec<Running> = faults
            .iter()
            .map(|fault| Running::start(up.place.squall(&[&["inject"], *fault, &["--for", "10m"]].concat())))
            .collect();
        let imposed = |up: &Up| {
            let events = events(up);
            events
                .iter()
                .filter(|event| matches!(event.fact, Fact::Imposed { .. }))
                .count()
        };
        wait_until("all four", || imposed(&up) == 4);
        assert_ne!(soft_limit(&up, "server-1", NOFILE), usual);
        up.trail.rest();
        kill(Pid::from_raw(up.pair()[index]), Signal::SIGKILL).unwrap();
        for held in &mut held {
            assert_eq!(held.end(PATIENCE), Some(3), "{:#?}", held.said);
        }
        // Whoever is busy looks for its parent now and then.
        wait_until("all of it to end", || up.trail.residue().none());
        up.nothing_is_left();
    }
}

#[test]
fn what_can_not_be_injected_is_said_with_its_reason_and_nothing_is_touched() {
    let up = Up::start();
    let cases: [(&[&str], &[&str]); 8] = [
        (
            &["kil", "on=worker", "--for", "1s"],
            &["no fault `kil`", "did you mean `kill`?"],
        ),
        (
            &["kill", "on=wroker", "--for", "1s"],
            &["no service `wroker`", "did you mean `worker`?"],
        ),
        (&["kill", "no=worker", "--for", "1s"], &["`no`", "`on`"]),
        (&["kill", "on=worker"], &["--for"]),
        (&["kill", "on=worker", "--for", "0s"], &["for some time"]),
        (&["kill", "on=worker", "at=3s", "--for", "1s"], &["`at` is for storms"]),
        (
            &["cut", "from=worker", "to=server", "how=refuse", "--for", "1s"],
            &["no link to `server`"],
        ),
        (&["delay", "from=server", "to=db", "--for", "1s"], &["latency"]),
    ];
    for (args, says) in cases {
        said(&up.squall(&[&["inject"], args].concat()), 2, says);
    }
    up.squall(&["service", "kill", "--service", "worker"]);
    let down = up.squall(&["inject", "freeze", "on=worker", "--for", "1s"]);
    said(&down, 2, &["can't be put in force", "no copy of worker is up"]);
    up.place.write("squall.halt", "");
    said(
        &up.squall(&["inject", "kill", "on=server", "--for", "1s"]),
        2,
        &["halt file squall.halt is there"],
    );
    up.nothing_more_was_broken();
}

impl Up {
    /// Only what `service` did is in the journal.
    fn nothing_more_was_broken(&self) {
        assert_eq!(counted(self), (2, 0));
    }
}

#[test]
fn whoever_injected_may_break_off_or_be_killed_and_it_is_healed() {
    let up = Up::start();
    for (turn, signal) in [Signal::SIGINT, Signal::SIGKILL].into_iter().enumerate() {
        let mut held = Running::start(up.place.squall(&["inject", "freeze", "on=server", "--for", "10m"]));
        wait_until("the freeze", || frozen(&up, "server-1"));
        let busy = up.squall(&["service", "kill", "--service", "server"]);
        said(&busy, 2, &["an injected fault holds at server-1"]);
        kill(Pid::from_raw(held.child.id() as i32), signal).unwrap();
        let code = held.end(PATIENCE);
        assert_eq!(code, (signal == Signal::SIGINT).then_some(0), "{:#?}", held.said);
        wait_until("the thaw", || !frozen(&up, "server-1"));
        wait_until("its line in the journal", || counted(&up) == (turn + 1, turn + 1));
        assert_eq!(get(up.port, "/health", None).0, 200);
    }
    up.down();
}

#[test]
fn when_squall_itself_is_killed_in_the_middle_nothing_stays_broken_or_behind() {
    for index in [0, 1] {
        let up = Up::start();
        let mut held = Running::start(up.place.squall(&["inject", "freeze", "on=worker", "--for", "10m"]));
        wait_until("the freeze", || frozen(&up, "worker-1") || frozen(&up, "worker-2"));
        kill(Pid::from_raw(up.pair()[index]), Signal::SIGKILL).unwrap();
        assert_eq!(held.end(PATIENCE), Some(3), "{:#?}", held.said);
        wait_until("both to end", || up.trail.living().is_empty());
        up.nothing_is_left();
        let output = up.squall(&["inject", "kill", "on=worker", "--for", "1s"]);
        said(&output, 2, &["no system is up"]);
        assert!(err(&output).contains("squall up --detach"));
    }
}

#[test]
fn a_disk_that_is_full_keeps_nobody_frozen_or_down() {
    let mut place = Place::with_taskhub(BUILD);
    // Writing beyond the limit below is an error then, as on a full disk, and ends nobody.
    place.through(&["sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh"]);
    let port = free_port();
    let output = place.output(&["up", "--detach", "--port", &port.to_string()]);
    said(&output, 0, &["taskhub is up"]);
    let up = Up::of(place, port);
    let mut held = Running::start(up.place.squall(&["inject", "freeze", "on=server", "--for", "10m"]));
    wait_until("the freeze", || frozen(&up, "server-1"));
    said(&up.squall(&["service", "kill", "--service", "worker"]), 0, &["killed"]);

    let pid = up.pair()[1].to_string();
    let limited = Command::new("prlimit").args(["--pid", &pid, "--fsize=1"]).status();
    assert!(limited.unwrap().success());
    kill(Pid::from_raw(held.child.id() as i32), Signal::SIGINT).unwrap();
    assert_eq!(held.end(PATIENCE), Some(3), "{:#?}", held.said);
    let text = held.said.join("\n");
    assert!(text.contains("the journal") && text.contains("is healed"), "{text}");
    assert!(!frozen(&up, "server-1"));
    assert_eq!(get(up.port, "/health", None).0, 200);
    let again = up.squall(&["service", "start", "--service", "worker"]);
    said(&again, 3, &["worker-1", "up again, but the journal"]);
    assert!(up.service("worker-1")["pid"].is_u64(), "{}", up.service("worker-1"));
    // Nothing new is done where it can't be written down first.
    let more = up.squall(&["inject", "freeze", "on=server", "--for", "1s"]);
    said(&more, 3, &["the journal"]);
    assert!(!frozen(&up, "server-1"));
    up.down();
}

#[test]
fn what_can_not_be_healed_is_said_and_its_place_is_free_for_whoever_tries_again() {
    let place = Place::with_taskhub(BUILD);
    let program = place.path().join("program");
    let there = || std::os::unix::fs::symlink(taskhub(), &program).unwrap();
    there();
    let text = fs::read_to_string(place.path().join("system.yaml")).unwrap();
    let text = text.replace(taskhub().to_str().unwrap(), program.to_str().unwrap());
    // Nobody but whoever heals starts it again.
    let text = text.replacen("    restart: { after: \"${paced(200ms)}\" }\n", "", 1);
    place.write("system.yaml", text);
    let port = free_port();
    let output = place.output(&["up", "--detach", "--port", &port.to_string()]);
    said(&output, 0, &["taskhub is up"]);
    let up = Up::of(place, port);

    let mut held = Running::start(up.place.squall(&["inject", "kill", "on=partner", "--for", "1s"]));
    wait_until("the kill", || up.service("partner-1")["pid"].is_null());
    fs::remove_file(&program).unwrap();
    assert_eq!(held.end(PATIENCE), Some(4), "{:#?}", held.said);
    let text = held.said.join("\n");
    assert!(text.contains("partner-1 could not be healed"), "{text}");
    there();
    let again = up.squall(&["service", "start", "--service", "partner"]);
    said(&again, 0, &["partner-1 up again"]);

    // What is there again in time is healed, late.
    let mut held = Running::start(up.place.squall(&["inject", "kill", "on=partner", "--for", "1s"]));
    wait_until("the kill", || up.service("partner-1")["pid"].is_null());
    fs::remove_file(&program).unwrap();
    let healing = |fact: &Fact| matches!(fact, Fact::Healing { .. });
    let begun = || events(&up).iter().filter(|event| healing(&event.fact)).count();
    wait_until("the heal to begin", || begun() == 3);
    there();
    assert_eq!(held.end(PATIENCE), Some(0), "{:#?}", held.said);
    up.down();
}

#[test]
fn a_good_heal_is_not_blamed_for_what_another_fault_does() {
    let up = Up::start();
    let mut cut =
        Running::start(
            up.place
                .squall(&["inject", "cut", "from=server", "to=db", "how=refuse", "--for", "10m"]),
        );
    wait_until("the cut", || get(up.port, "/health/ready", None).0 != 200);
    let frozen = up.squall(&["inject", "freeze", "on=server", "--for", "500ms"]);
    said(&frozen, 0, &["server-1 frozen", "healed after"]);
    assert_ne!(get(up.port, "/health/ready", None).0, 200);
    kill(Pid::from_raw(cut.child.id() as i32), Signal::SIGINT).unwrap();
    assert_eq!(cut.end(PATIENCE), Some(0), "{:#?}", cut.said);
    up.down();
}

#[test]
fn a_strike_does_not_wait_for_a_service_that_does_not_come_back() {
    let place = Place::with_taskhub(BUILD);
    let began = place.path().join("began");
    let program = taskhub();
    let slow = format!(
        "test -e began && exec sleep 600\ntouch began\nexec {} partner --listen \"$1\"\n",
        program.display()
    );
    place.write("slow.sh", slow);
    let text = fs::read_to_string(place.path().join("system.yaml")).unwrap();
    let run = format!("{} partner --listen ${{self.addr}}", program.display());
    assert!(
        text.contains(&run) && text.contains("ready: { path: /health }"),
        "{text}"
    );
    let text = text.replace(&run, "sh slow.sh ${self.addr}");
    let text = text.replacen("ready: { path: /health }", "ready: { path: /health, within: 50s }", 1);
    place.write("system.yaml", text);
    let port = free_port();
    let output = place.output(&["up", "--detach", "--port", &port.to_string()]);
    said(&output, 0, &["taskhub is up"]);
    let up = Up::of(place, port);

    let first = up.service("partner-1")["pid"].as_i64().unwrap();
    kill(Pid::from_raw(first as i32), Signal::SIGKILL).unwrap();
    wait_until("another start", || {
        let pid = up.service("partner-1")["pid"].as_i64();
        pid.is_some_and(|pid| pid != first)
    });
    let asked = Instant::now();
    let mut held = Running::start(up.place.squall(&["inject", "kill", "on=partner", "--for", "10m"]));
    wait_until("the kill", || up.service("partner-1")["pid"].is_null());
    assert!(asked.elapsed() < Duration::from_secs(25), "{:?}", asked.elapsed());
    fs::remove_file(&began).unwrap();
    kill(Pid::from_raw(held.child.id() as i32), Signal::SIGINT).unwrap();
    assert_eq!(held.end(PATIENCE), Some(0), "{:#?}", held.said);
    assert_eq!(up.service("partner-1")["health"], "ready");
    up.down();
}
