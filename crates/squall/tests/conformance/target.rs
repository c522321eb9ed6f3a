//! What faults are put in force on, in the form of a test that serves when it is told to: it echoes, takes memory and
//! writes when asked, and says when it is told to end.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};

/// More than `memory_load` leaves, and not used: it is only asked for.
const MEMORY: usize = 512 << 20;
/// So much it takes and keeps when that was refused.
const SOME: usize = 1 << 20;
const FULL: &str = "507 Insufficient Storage";
/// How long it is busy when asked to be.
const BUSY: Duration = Duration::from_millis(30);
/// What is written at once.
const BLOCK: [u8; 4096] = [7; 4096];
/// What begins a conversation in which every byte comes back.
pub const ECHO: &str = "ECHO\n";

/// Serves while it is squall's child; as a test of its own there is nothing to do.
#[test]
fn serve() {
    let Ok(name) = std::env::var("NAME") else { return };
    if let Ok(file) = std::env::var("TOLD") {
        std::thread::spawn(move || end_when_told(&file, &name));
    }
    let Ok(listen) = std::env::var("LISTEN") else {
        loop {
            std::thread::park();
        }
    };
    let listener = TcpListener::bind(listen).unwrap();
    loop {
        match listener.accept() {
            Ok((stream, _)) => drop(std::thread::spawn(move || answer(stream))),
            // Without a descriptor there is nothing to do but to try again.
            Err(_) => std::thread::park_timeout(Duration::from_millis(20)),
        }
    }
}

/// Writes down that it was told to end, and does.
fn end_when_told(file: &str, name: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(async {
        let mut told = signal(SignalKind::terminate()).unwrap();
        told.recv().await;
    });
    let told = File::options().create(true).append(true).open(file);
    told.and_then(|mut told| writeln!(told, "{name}")).unwrap();
    std::process::exit(0);
}

/// Is busy for a while on a thread that stays: what one that ended had to wait nobody can count.
fn work() -> Option<()> {
    static WORKER: LazyLock<Mutex<Sender<Sender<()>>>> = LazyLock::new(|| {
        let (asked, jobs) = channel::<Sender<()>>();
        std::thread::spawn(move || {
            for done in jobs {
                let since = Instant::now();
                while since.elapsed() < BUSY {}
                let _ = done.send(());
            }
        });
        Mutex::new(asked)
    });
    let (done, worked) = channel();
    WORKER.lock().ok()?.send(done).ok()?;
    worked.recv().ok()
}

/// Answers one conversation: a request of HTTP, or an echo.
fn answer(mut stream: TcpStream) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    if first == ECHO {
        let mut block = [0; 4096];
        loop {
            match reader.read(&mut block).ok()? {
                0 => return stream.shutdown(Shutdown::Both).ok(),
                read => stream.write_all(&block[..read]).ok()?,
            }
        }
    }
    let mut line = String::from("-");
    while !line.trim().is_empty() {
        line.clear();
        reader.read_line(&mut line).ok()?;
    }
    let path = first.split_whitespace().nth(1)?;
    let status = match path {
        "/up" => "200 OK",
        "/busy" if work().is_some() => "200 OK",
        "/memory" if Vec::<u8>::new().try_reserve_exact(MEMORY).is_ok() => "200 OK",
        "/memory" => {
            // What there is it takes, as somebody who goes on.
            let mut some = Vec::<u8>::new();
            if some.try_reserve_exact(SOME).is_ok() {
                some.leak();
            }
            FULL
        }
        "/write" if written().is_ok() => "200 OK",
        _ if path.starts_with("/keep/") => match keep(&path["/keep/".len()..]) {
            Ok(()) => "200 OK",
            Err(_) => FULL,
        },
        _ if path.starts_with("/kept/") => match kept().map(|kept| kept.unwrap_or_default()) {
            [synced, _] if synced.as_str() < &path["/kept/".len()..] => "404 Not Found",
            [synced, loose] if loose == synced => "200 OK",
            _ => "206 Partial Content",
        },
        "/write" => FULL,
        _ => "404 Not Found",
    };
    let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&jiff::Timestamp::now());
    let date = date.ok()?;
    let answer = format!("HTTP/1.1 {status}\r\ndate: {date}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    stream.write_all(answer.as_bytes()).ok()
}

/// What it keeps on its disk: one file it syncs, with the folder it is in, and one it does not.
const KEPT: [&str; 2] = ["synced", "loose"];

/// Writes a number of six digits to both, the synced one first.
fn keep(number: &str) -> std::io::Result<()> {
    let folder = std::env::var("DISK").map_err(std::io::Error::other)?;
    for name in KEPT {
        // In its place: what makes room for it first might sync it, too.
        let mut kept = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(Path::new(&folder).join(name))?;
        kept.write_all(number.as_bytes())?;
        if name == KEPT[0] {
            kept.sync_all()?;
            File::open(&folder)?.sync_all()?;
        }
    }
    Ok(())
}

/// What each of them holds, where it is there.
fn kept() -> [Option<String>; 2] {
    let folder = std::env::var("DISK").unwrap_or_default();
    KEPT.map(|name| fs::read_to_string(Path::new(&folder).join(name)).ok())
}

/// Writes a block to its disk, and removes it.
fn written() -> std::io::Result<()> {
    let folder = std::env::var("DISK").map_err(std::io::Error::other)?;
    let file = Path::new(&folder).join("block");
    let written = fs::write(&file, BLOCK);
    if let Err(error) = &written {
        eprintln!("{}: {error}", file.display());
    }
    fs::remove_file(&file)?;
    written
}
