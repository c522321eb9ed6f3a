//! Errands: a queue of small jobs. One program is both the desk that takes them (`errands desk ADDRESS`) and a
//! runner that does them (`errands runner NAME`); PostgreSQL is all they share.

mod desk;
mod log;
mod runner;
mod store;

use std::time::Duration;

use crate::store::Store;

/// What goes wrong on purpose, for squall to find: `ERRANDS_BUG`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bug {
    /// Every fifth job is acknowledged and never stored.
    Loses,
    /// The job of a runner that died stays in its hands for ever.
    Sticks,
    /// Who finishes a job does not look whether it is still theirs.
    Doubles,
}

impl Bug {
    fn read() -> Option<Self> {
        match std::env::var("ERRANDS_BUG").ok()?.as_str() {
            "loses" => Some(Bug::Loses),
            "sticks" => Some(Bug::Sticks),
            "doubles" => Some(Bug::Doubles),
            _ => None,
        }
    }
}

/// A length in the environment: `150ms`, `2s` or `1.5s`.
fn length(name: &str, otherwise: Duration) -> Result<Duration, String> {
    let Ok(text) = std::env::var(name) else {
        return Ok(otherwise);
    };
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 0.001),
        None => (text.trim_end_matches('s'), 1.0),
    };
    let seconds = number.parse::<f64>().ok().map(|number| number * unit);
    let length = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    length.ok_or_else(|| format!("{name}={text}: a length such as 150ms or 2s is expected"))
}

fn setting(name: &str) -> Result<String, String> {
    std::env::var(name).map_err(|_| format!("{name} is not set"))
}

async fn serve() -> Result<(), String> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let store = Store::new(&setting("DATABASE_URL")?)?;
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["desk", address] => desk::serve(address, store, setting("DESK_KEY")?, Bug::read()).await,
        ["runner", name] => {
            let pace = runner::Pace {
                hold: length("ERRANDS_HOLD", Duration::from_secs(30))?,
                pause: length("ERRANDS_PAUSE", Duration::from_secs(2))?,
                look: length("ERRANDS_LOOK", Duration::from_millis(200))?,
            };
            runner::run(name, store, pace, Bug::read()).await
        }
        _ => Err("use: errands desk ADDRESS, or: errands runner NAME".to_owned()),
    }
}

#[tokio::main]
async fn main() -> std::process::ExitCode {
    match serve().await {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(why) => {
            log::line(&why);
            std::process::ExitCode::FAILURE
        }
    }
}
