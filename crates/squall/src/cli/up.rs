//! `squall up`: a system kept up for people, in the foreground or, with `--detach`, behind it.
//!
//! Detached, the process the user starts is neither the guard nor its child: it starts the guard in
//! a session of its own, shows what both say until the system is healthy, and leaves. Until then the
//! guard hangs on it by its standard input: whoever breaks off the waiting breaks off the start.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use clap::Args;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::{Pid, dup2_stderr, dup2_stdout, setsid};
use squall_core::system::System;

use super::workshop::{Workshop, environment};
use super::{guarded, inputs, say};
use crate::control::Status;
use crate::store::RunId;
use crate::up::Order;
use crate::{exit, guard, up};

/// What `up` takes.
#[derive(Debug, Clone, Args)]
pub(super) struct UpArgs {
    /// Return when the system is healthy; it stays up until `squall down`
    #[arg(long)]
    detach: bool,
    /// The port the entry service shall have; any free one when not said
    #[arg(short, long, env = "PORT", value_name = "PORT", value_parser = super::port)]
    port: Option<u16>,
    /// The system file [default: ./squall.yaml, ./system.yaml or the one in ./systems/*/]
    #[arg(long, env = "SQUALL_SYSTEM", value_name = "FILE")]
    system: Option<PathBuf>,
    /// Difficulty level, 1 to 6: how many workers there are
    #[arg(short, long, env = "DIFFICULTY", default_value = "1", value_name = "N", value_parser = super::level)]
    difficulty: u8,
    /// Divide every duration of the system file that keeps pace by this
    #[arg(long, default_value = "1", value_name = "N", value_parser = super::pace)]
    pace: f64,
    /// Where the folder with its logs goes
    #[arg(short, long, env = "OUTPUT_DIR", default_value = "tmp", value_name = "DIR")]
    output: PathBuf,
    /// This is the guard of a detached system
    #[arg(long, hide = true)]
    launched: bool,
    #[command(flatten)]
    halt: super::halt::Halt,
}

/// What a line begins with that says, as JSON, that the system is healthy.
const HEALTHY: &str = "\u{2}healthy ";

/// Starts it. Answers the exit code.
pub(super) fn up(args: &UpArgs) -> u8 {
    if args.detach && !args.launched {
        if let Err(bad) = read(args) {
            bad.say();
            return exit::BAD_INPUT;
        }
        return launch(args).unwrap_or_else(|error| cannot_start(&error));
    }
    if args.launched
        && matches!(guard::role(), guard::Role::Guard)
        && let Err(error) = stand_apart()
    {
        return cannot_start(&error);
    }
    guarded(None, &args.output, |id| work(args, id))
}

fn cannot_start(error: &io::Error) -> u8 {
    say::problem(&format!("the guard can't be started: {error}"), say::NO_ROOM);
    exit::ENVIRONMENT
}

fn read(args: &UpArgs) -> Result<(System, PathBuf), inputs::Bad> {
    args.halt.refuse()?;
    inputs::system(args.system.as_deref(), args.difficulty, args.pace)
}

/// The second of squall's two processes.
fn work(args: &UpArgs, id: &RunId) -> u8 {
    let (system, file) = match read(args) {
        Ok(read) => read,
        Err(bad) => {
            bad.say();
            return exit::BAD_INPUT;
        }
    };
    let workshop = match Workshop::aside(id, &args.output, &args.halt) {
        Ok(workshop) => workshop,
        Err(trouble) => return environment(&trouble),
    };
    let result = workshop.block_on(async {
        let cluster = workshop.prepare(&system).await?;
        say::err(&format!(
            "squall: starting {} at level {}",
            system.system, args.difficulty
        ));
        let order = Order {
            run: id,
            system: &system,
            file: &file,
            folder: &workshop.folder,
            cluster: cluster.as_ref(),
            port: args.port,
            secrets: &workshop.secrets,
            stop: workshop.stop.clone(),
        };
        up::up(&order, |status| tell(args, status)).await
    });
    let code = match result {
        Ok(()) => exit::PASS,
        Err(trouble) => workshop.say(&trouble),
    };
    workshop.close();
    code
}

/// Tells whoever waits for it that the system is healthy.
fn tell(args: &UpArgs, status: &Status) -> io::Result<()> {
    if !args.launched {
        say::out(&summary(args, status));
        return Ok(());
    }
    let log = File::create(status.folder.join("squall.log"))?;
    let mut out = io::stdout();
    writeln!(out, "{HEALTHY}{}", serde_json::to_string(status)?)?;
    out.flush()?;
    // Nobody reads the pipe from now on.
    dup2_stdout(&log)?;
    dup2_stderr(&log)?;
    Ok(())
}

/// What is up, where it writes, and how to stop it.
fn summary(args: &UpArgs, status: &Status) -> String {
    let at = option(&args.output);
    let stop = match args.detach {
        true => format!("squall down{at}"),
        false => format!("Ctrl-C, or squall down{at}"),
    };
    format!(
        "{} is up: {}\n{}\n  logs    squall logs -f{at}\n  status  squall status{at}\n  stop    {stop}",
        status.system,
        status.url,
        table(status)
    )
}

/// A line for each copy of a service.
pub(super) fn table(status: &Status) -> String {
    let dash = |number: Option<u32>| number.map_or("-".to_owned(), |number| number.to_string());
    let mut text = format!(
        "  {:<12} {:>7} {:>6} {:<9} {:>8}  log",
        "service", "pid", "port", "health", "restarts"
    );
    for service in &status.services {
        text += &format!(
            "\n  {:<12} {:>7} {:>6} {:<9} {:>8}  {}",
            service.instance.to_string(),
            dash(service.pid),
            dash(service.port.map(u32::from)),
            service.health,
            service.restarts,
            near(&service.log)
        );
    }
    for fault in &status.faults {
        text += &format!("\n  in force: {} {}", fault.place, fault.condition.word());
    }
    text
}

/// A path as it is called from here.
pub(super) fn near(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).display().to_string()
}

/// The option that names a folder, where it is not the usual one.
pub(super) fn option(output: &Path) -> String {
    let usual = output == Path::new("tmp") || std::env::var_os("OUTPUT_DIR").is_some_and(|dir| output == dir);
    match usual {
        true => String::new(),
        false => format!(" --output {}", output.display()),
    }
}

/// Starts the guard, shows what is said until the system is healthy, and leaves it.
fn launch(args: &UpArgs) -> io::Result<u8> {
    let mut signals = SigSet::empty();
    [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP]
        .into_iter()
        .for_each(|signal| signals.add(signal));
    signals.thread_block()?;
    let (said, say_into) = io::pipe()?;
    let mut guard = guard::itself()?
        .args(std::env::args_os().skip(1))
        .arg("--launched")
        .stdin(Stdio::piped())
        .stdout(say_into.try_clone()?)
        .stderr(say_into)
        .spawn()?;
    let leash = Arc::new(Mutex::new(guard.stdin.take()));
    let asked = leash.clone();
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        if signals.wait().is_ok() {
            // The guard hears the end of it, stops and clears up.
            drop(asked.lock().unwrap_or_else(PoisonError::into_inner).take());
        }
    })?;
    for line in BufReader::new(said).lines().map_while(Result::ok) {
        let Some(json) = line.strip_prefix(HEALTHY) else {
            say::err(&line);
            continue;
        };
        let status: Status = serde_json::from_str(json)?;
        let mut leash = leash.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(leash) = leash.as_mut() {
            // Let go: from now on it stays up without this process.
            leash.write_all(&[1])?;
            say::out(&summary(args, &status));
            return Ok(exit::PASS);
        }
    }
    let code = guard.wait()?.code().and_then(|code| u8::try_from(code).ok());
    // It ended before anything was healthy, whatever it thinks of its end.
    Ok(code.filter(|code| *code != exit::PASS).unwrap_or(exit::ENVIRONMENT))
}

/// Makes this process one that survives the shell, and ends with who waits for it until that lets go.
fn stand_apart() -> io::Result<()> {
    setsid()?;
    std::thread::Builder::new().name("leash".to_owned()).spawn(|| {
        // Signals are for the guard's own loop.
        let _ = SigSet::all().thread_block();
        if !matches!(io::stdin().read(&mut [0]), Ok(1)) {
            let _ = kill(Pid::this(), Signal::SIGTERM);
        }
    })?;
    Ok(())
}
