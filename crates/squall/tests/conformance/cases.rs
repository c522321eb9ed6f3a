//! The cases: for each fault, how it is ordered and what of it is seen from outside. Undisturbed, nothing of it is.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::seen::{Echo, SOON, answer, date_ahead, limit, open_files, processes, processors, stands_still, ticks};
use super::target::ECHO;
use super::up::Up;

/// What is seen of a fault in force; else what is seen instead.
pub type Seen = Result<String, String>;

/// One way to put a fault in force in a system that is up.
pub struct Case {
    pub fault: &'static str,
    pub keys: &'static [&'static str],
    pub seen: fn(&Up, &Before) -> Seen,
}

/// What effects are told from.
pub struct Before {
    told: (usize, usize),
    /// The processes the echo has had since.
    lives: RefCell<BTreeSet<u32>>,
    version: Vec<u8>,
    processors: Vec<String>,
    files: Option<u64>,
    data: Option<u64>,
    used: BTreeMap<u32, u64>,
    /// A connection on the link that was open before: what is cut must have been in use.
    _open: Option<TcpStream>,
}

impl Before {
    /// As it is now. What strikes a link finds a connection on it.
    pub fn of(up: &Up, case: &Case) -> Self {
        let link = case.keys.iter().any(|key| key.contains("caller"));
        let pid = up.process("echo-1").map_or(0, |process| process.pid);
        Self {
            told: up.told(),
            lives: RefCell::default(),
            version: up.version(),
            processors: processors(pid),
            files: limit(pid, FILES),
            data: limit(pid, DATA),
            used: burners(up),
            _open: link.then(|| opened(up)).flatten(),
        }
    }
}

/// A connection on the link that has carried something.
fn opened(up: &Up) -> Option<TcpStream> {
    let mut open = TcpStream::connect_timeout(&up.link, SOON).ok()?;
    open.set_read_timeout(Some(SOON)).ok()?;
    open.write_all(format!("{ECHO}here").as_bytes()).ok()?;
    open.read_exact(&mut [0; 4]).ok()?;
    Some(open)
}

const FILES: &str = "Max open files";
const DATA: &str = "Max data size";
/// Ticks of the processor that squall itself can't need beside what it takes.
const TICKS: u64 = 5;

const fn case(fault: &'static str, keys: &'static [&'static str], seen: fn(&Up, &Before) -> Seen) -> Case {
    Case { fault, keys, seen }
}

/// Those of faults that can be ordered by hand; what only storms do is in `storm.rs`.
pub const CASES: &[Case] = &[
    case("kill", &["on=echo"], |up, before| {
        gone(up).and_then(|gone| told(up, before, (0, 0), gone))
    }),
    case("terminate", &["on=echo"], |up, before| {
        gone(up).and_then(|gone| told(up, before, (1, 0), gone))
    }),
    case("stop", &["on=db"], |up, before| {
        told(up, before, (0, 1), no_database(up)?)
    }),
    case("crash_loop", &["on=echo"], comes_and_goes),
    case("start_failure", &["on=echo"], |up, before| {
        gone(up).and_then(|gone| told(up, before, (0, 0), gone))
    }),
    case("freeze", &["on=echo"], frozen),
    case("cut", &["from=caller", "to=echo", "how=refuse"], |up, _| {
        link_fails(up, &["connection refused"])
    }),
    case("cut", &["from=caller", "to=echo", "how=reset"], |up, _| {
        link_fails(up, &["connection reset", "broken pipe"])
    }),
    case("cut", &["from=caller", "to=echo", "how=black_hole"], |up, _| {
        link_fails(up, &["no answer"])
    }),
    case("cut", &["from=caller", "to=echo", "how=half_open"], |up, _| {
        link_fails(up, &["no answer"])
    }),
    // There and back.
    case("delay", &["from=caller", "to=echo", "latency=300ms"], |up, _| {
        slow(up, 10, Duration::from_millis(600))
    }),
    // Some may pass at once.
    case("throttle", &["from=caller", "to=echo", "kilobytes=10"], |up, _| {
        slow(up, 8000, Duration::from_millis(500))
    }),
    case(
        "stall",
        &["from=caller", "to=echo", "loss=100%", "pause=700ms"],
        |up, _| slow(up, 10, Duration::from_millis(700)),
    ),
    case(
        "corrupt",
        &["from=caller", "to=echo", "bytes=10%", "way=down"],
        corrupted,
    ),
    case(
        "slice",
        &["from=caller", "to=echo", "bytes=10", "pause=1ms", "way=down"],
        sliced,
    ),
    case("slow_close", &["from=caller", "to=echo", "by=700ms"], slow_to_close),
    case(
        "truncate",
        &["from=caller", "to=echo", "bytes=1000", "way=down"],
        truncated,
    ),
    case("silence", &["from=caller", "to=echo", "way=down"], |up, _| {
        link_fails(up, &["no answer"])
    }),
    case(
        "intercept",
        &["from=caller", "to=echo", "protocol=http", "command=GET", "then=error"],
        |up, _| {
            let (said, echo) = (answer(up.link, "/up"), answer(up.echo, "/up"));
            when(
                said == "503" && echo == "200",
                format!("{said} on the link, {echo} beside it"),
            )
        },
    ),
    case(
        "damage",
        &["on=db", "files=PG_VERSION", "how=bit_flip"],
        |up, before| {
            let now = up.version();
            let flipped: u32 = std::iter::zip(&before.version, &now)
                .map(|(was, is)| (was ^ is).count_ones())
                .sum();
            when(
                flipped == 1 && now.len() == before.version.len(),
                format!("{flipped} bits of {now:?}"),
            )
        },
    ),
    case("clock_skew", &["on=echo", "by=+1h"], |up, _| {
        near(date_ahead(up.echo)?, 3600).and_then(|seen| beside(up, seen))
    }),
    case("clock_skew", &["on=db", "by=-90s"], |up, _| {
        near(up.database_ahead()?, -90)
    }),
    case("cpu_load", &["on=echo", "share=80%"], fewer_turns),
    case("memory_load", &["on=echo", "megabytes=64"], no_memory),
    case("fds_taken", &["on=echo"], no_descriptors),
    case("connections_taken", &["on=db"], no_connections),
    case("partition", &["isolate=[caller]", "how=refuse"], |up, _| parted(up)),
    case("scale", &["on=spare", "to=1"], |up, _| fewer_copies(up)),
];

/// Seconds a clock is ahead, of which a date leaves out parts.
fn near(ahead: f64, wanted: i32) -> Seen {
    let off = ahead - f64::from(wanted);
    when(off.abs() < 1.5, format!("its clock is {ahead:.3} s ahead"))
}

/// The others' clocks are right meanwhile.
fn beside(up: &Up, seen: String) -> Seen {
    let db = up.database_ahead()?;
    when(db.abs() < 1.5, format!("{seen}, the database's {db:.3} s"))
}

fn when(holds: bool, seen: String) -> Seen {
    if holds { Ok(seen) } else { Err(seen) }
}

/// The echo has no process, and nobody listens where it did.
fn gone(up: &Up) -> Seen {
    let process = up
        .process("echo-1")
        .map_or("no process".to_owned(), |process| format!("process {}", process.pid));
    let said = answer(up.echo, "/up");
    when(
        process == "no process" && said == "connection refused",
        format!("{process}, {said}"),
    )
}

/// One process of the echo after the other.
fn comes_and_goes(up: &Up, before: &Before) -> Seen {
    let mut lives = before.lives.borrow_mut();
    lives.extend(up.process("echo-1").map(|process| process.pid));
    when(lives.len() > 2, format!("processes {lives:?}"))
}

/// How those who went were told to.
fn told(up: &Up, before: &Before, wanted: (usize, usize), gone: String) -> Seen {
    let now = up.told();
    let told = (now.0 - before.told.0, now.1 - before.told.1);
    when(told == wanted, format!("{gone}; told to end {told:?} times"))
}

fn no_database(up: &Up) -> Seen {
    let postmaster = processes(&up.run, up.pair[0]);
    let there = postmaster.iter().any(|process| process.words.contains("postgres -D"));
    let said = up.connected();
    when(
        !there && said.contains("error connecting"),
        format!("a process: {there}, {said}"),
    )
}

fn frozen(up: &Up, _: &Before) -> Seen {
    let echo = up.process("echo-1")?;
    let (still, said) = (stands_still(echo.pid), answer(up.echo, "/up"));
    when(still && said == "no answer", format!("stopped: {still}, {said}"))
}

fn link_fails(up: &Up, how: &[&str]) -> Seen {
    let seen = Echo::of(up.link, 4000, SOON);
    let failed = seen.failed.as_deref().unwrap_or_default();
    when(seen.back == 0 && how.contains(&failed), seen.told())
}

/// It takes so long.
fn slow(up: &Up, bytes: usize, least: Duration) -> Seen {
    let took = Echo::of(up.link, bytes, PATIENT).took;
    when(took >= least, format!("it took {took:?}"))
}

/// What is slow arrives within this.
const PATIENT: Duration = Duration::from_secs(10);

fn corrupted(up: &Up, _: &Before) -> Seen {
    let seen = Echo::of(up.link, 4000, PATIENT);
    when(seen.back == 4000 && (200..800).contains(&seen.changed), seen.told())
}

fn sliced(up: &Up, _: &Before) -> Seen {
    let seen = Echo::of(up.link, 400, PATIENT);
    when(
        seen.back == 400 && seen.most <= 60,
        format!("{}, {} at once", seen.told(), seen.most),
    )
}

fn slow_to_close(up: &Up, _: &Before) -> Seen {
    let seen = Echo::of(up.link, 10, PATIENT);
    when(
        seen.back == 10 && seen.closing >= Duration::from_millis(700),
        format!("closed after {:?}", seen.closing),
    )
}

fn truncated(up: &Up, _: &Before) -> Seen {
    let seen = Echo::of(up.link, 4000, PATIENT);
    when(seen.back == 1000 && seen.failed.is_some(), seen.told())
}

/// The processes of squall's own that take processors, and what each has used.
fn burners(up: &Up) -> BTreeMap<u32, u64> {
    let all = processes(&up.run, up.pair[0]).into_iter();
    let burners = all.filter(|process| process.words.contains("inner burn"));
    burners.map(|process| (process.pid, ticks(process.pid))).collect()
}

/// Another process works where it may run, and with one processor of several it has to wait.
fn fewer_turns(up: &Up, before: &Before) -> Seen {
    let echo = up.process("echo-1")?;
    // Something to wait for its turn with.
    let worked = answer(up.echo, "/busy");
    let now = processors(echo.pid);
    let used: u64 = burners(up).values().sum();
    let fewer = now != before.processors || before.processors == ["0"];
    let seen = format!(
        "{used} ticks taken of {now:?}, {:?} before; busy meanwhile: {worked}",
        before.processors
    );
    when(fewer && before.used.is_empty() && used >= TICKS, seen)
}

fn no_memory(up: &Up, before: &Before) -> Seen {
    let echo = up.process("echo-1")?;
    let (may, said) = (limit(echo.pid, DATA), answer(up.echo, "/memory"));
    when(
        may != before.data && may.is_some() && said == "507",
        format!("may have {may:?} bytes, {said}"),
    )
}

fn no_descriptors(up: &Up, before: &Before) -> Seen {
    let echo = up.process("echo-1")?;
    let (may, has) = (limit(echo.pid, FILES), open_files(echo.pid));
    if may >= before.files {
        // Nothing is opened before it is in force: what is closed afterwards could be opened again.
        return Err(format!("may have {may:?} files"));
    }
    // Held while squall looks, as somebody who waits.
    let waits = TcpStream::connect_timeout(&up.echo, SOON);
    let said = answer(up.echo, "/up");
    let full = may.is_some_and(|may| may <= has as u64);
    // Taken on with the last descriptor it is dropped again.
    let unanswered = ["no answer", "connection reset"].contains(&said.as_str());
    when(
        full && waits.is_ok() && unanswered,
        format!("has {has} of {may:?}, {said}"),
    )
}

fn no_connections(up: &Up, _: &Before) -> Seen {
    let (there, most) = up.clients()?;
    let said = up.connected();
    when(
        there == most && said == "53300",
        format!("{there} of {most} connections, {said}"),
    )
}

fn parted(up: &Up) -> Seen {
    let caller = up.process("caller-1")?;
    let ends = ["ECHO", "DB"].map(|name| {
        let end = caller.var(name).unwrap_or_default();
        let end = end
            .rsplit_once('@')
            .map_or(end, |(_, end)| end)
            .trim_end_matches("/postgres");
        answer(end.parse().unwrap(), "/up")
    });
    when(ends == ["connection refused", "connection refused"], ends.join(", "))
}

fn fewer_copies(up: &Up) -> Seen {
    let there = ["spare-1", "spare-2"].map(|name| up.process(name).is_ok());
    when(there == [true, false], format!("spares: {there:?}"))
}
