//! What the program says: to people on standard error, results on standard output.

use std::io::{self, IsTerminal, Write};

use squall_core::check::Outcome;
use squall_core::diagnostic::Mistakes;

/// A line on standard output. Nobody listening is no failure: the journal has it all.
pub(super) fn out(text: &str) {
    let _ = writeln!(io::stdout(), "{text}");
}

/// A line on standard error.
pub(super) fn err(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Whether standard output takes colours: a terminal, or asked for by CLICOLOR_FORCE; never with NO_COLOR.
pub(super) fn colour() -> bool {
    colour_on(io::stdout().is_terminal())
}

fn colour_on(terminal: bool) -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0");
    !set("NO_COLOR") && (set("CLICOLOR_FORCE") || terminal)
}

/// What to do where the machine refuses a process, a thread or a pipe.
pub(super) const NO_ROOM: &str =
    "is there no memory, process or descriptor left? `squall doctor` shows what this machine has";

/// One clear error: what, why, and what to do.
pub(super) fn problem(what: &str, remedy: &str) {
    let red = if colour_on(io::stderr().is_terminal()) {
        ("\u{1b}[1;31m", "\u{1b}[0m")
    } else {
        ("", "")
    };
    err(&format!("{}error{}: {what}", red.0, red.1));
    remedy.lines().for_each(|line| err(&format!("  {line}")));
}

/// All mistakes of a file, each at its place.
pub(super) fn mistakes(mistakes: &Mistakes) {
    err(mistakes.render(colour_on(io::stderr().is_terminal()), 100).trim_end());
}

/// An outcome in a word.
pub(super) fn outcome(outcome: Outcome) -> String {
    match outcome {
        Outcome::Pass => "pass",
        Outcome::Inconclusive => "inconclusive",
        Outcome::Fail => "fail",
    }
    .to_owned()
}
