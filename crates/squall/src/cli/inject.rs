//! `squall inject`: one fault in a system that is up, by hand.

use std::os::unix::net::UnixStream;

use clap::Args;
use nix::sys::signal::{SigSet, Signal};
use squall_core::amount::Dur;

use super::attend::{Which, answered, bad};
use super::halt::Halt;
use super::say;
use crate::control::{Ask, Injection, ask_until};
use crate::exit;

/// What `inject` takes.
#[derive(Debug, Clone, Args)]
pub(super) struct InjectArgs {
    /// The fault, as in a scenario: `squall list faults` names them
    fault: String,
    /// Its keys, as in a scenario: `on=worker`, or `from=server to=db latency=100ms`
    #[arg(value_name = "KEY=VALUE", value_parser = key)]
    keys: Vec<(String, String)>,
    /// How long it holds; then it is healed, as it is on Ctrl-C and when squall is killed
    #[arg(long = "for", value_name = "DURATION", value_parser = lasts)]
    lasts: Dur,
    #[command(flatten)]
    halt: Halt,
    #[command(flatten)]
    which: Which,
}

fn key(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() && !value.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE, for example on=worker".to_owned()),
    }
}

fn lasts(text: &str) -> Result<Dur, String> {
    let lasts: Dur = text.parse().map_err(|error| format!("{error}"))?;
    match lasts > Dur::ZERO && lasts <= Injection::LONGEST {
        true => Ok(lasts),
        false => Err(format!(
            "it holds for some time, and for {} at most",
            Injection::LONGEST
        )),
    }
}

/// Orders it and tells what came of it. Answers the exit code.
pub(super) fn inject(args: &InjectArgs) -> u8 {
    let found = match args.halt.refuse().and_then(|()| args.which.one()) {
        Ok(found) => found,
        Err(error) => return bad(&error),
    };
    let wanted = Injection {
        fault: args.fault.clone(),
        keys: args.keys.clone(),
        millis: u64::try_from(args.lasts.get().as_millis()).unwrap_or(u64::MAX).max(1),
    };
    let broken_off = |stream: UnixStream| {
        // Whoever breaks off wants it healed now, and to hear that it is.
        let heard = std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            let signals: SigSet = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].into_iter().collect();
            if signals.wait().is_ok() {
                let _ = stream.shutdown(std::net::Shutdown::Write);
            }
            if signals.wait().is_ok() {
                // What was asked for goes on: it is healed by those who hold it.
                std::process::exit(i32::from(exit::ENVIRONMENT));
            }
        });
        heard.map(drop)
    };
    let signals: SigSet = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].into_iter().collect();
    if let Err(error) = signals.thread_block() {
        say::problem(&format!("signals can't be heard: {error}"), say::NO_ROOM);
        return exit::ENVIRONMENT;
    }
    let reply = ask_until(&found.folder, &Ask::Inject(wanted), broken_off, say::out);
    answered(&found, reply)
}
