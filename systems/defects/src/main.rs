//! A minimal queue in PostgreSQL: `defects server` takes jobs, `defects worker` does them; and `defects desk`, which keeps
//! counters and locks there. Each flag is a choice such systems are really written with, and `synchronous_commit` comes with
//! the database's URL as it does there.

mod desk;
mod queue;
mod server;
mod store;
mod values;
mod worker;

use std::io::Write;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};

use crate::queue::Queue;
use crate::store::Store;
use crate::values::Values;

#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    role: Role,
    /// Where PostgreSQL is.
    #[arg(long, env, hide_env_values = true)]
    database_url: String,
}

#[derive(Subcommand)]
enum Role {
    /// Takes jobs over HTTP and shows them.
    Server {
        /// Where to listen.
        #[arg(long)]
        listen: String,
        /// How it keeps values.
        #[arg(long, default_value = "plain")]
        values: Values,
    },
    /// Does one job after the other.
    Worker(Settings),
    /// Keeps counters and locks, and what the locks guard.
    Desk(desk::Settings),
}

/// How a worker works.
#[derive(clap::Args)]
struct Settings {
    /// What it calls itself when it reports.
    #[arg(long)]
    name: String,
    /// How it takes a job.
    #[arg(long)]
    claim: Claim,
    /// How long a job stays with a worker that gives no sign of life: `1s`, `150ms`, or `none`.
    #[arg(long, value_parser = lease)]
    lease: Lease,
    /// How it marks a job done.
    #[arg(long)]
    done: Done,
    /// Between two looks for work.
    #[arg(long, value_parser = length)]
    poll: Duration,
    /// Where it reports what it does.
    #[arg(long, env)]
    witness_url: String,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Claim {
    /// In one statement, with `FOR UPDATE SKIP LOCKED`.
    Locked,
    /// A SELECT, and then an UPDATE of what it found.
    ReadThenUpdate,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Done {
    /// Only while the job is still this attempt's.
    OwnerChecked,
    /// Whoever has it by now.
    Unchecked,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Add {
    /// In one statement.
    InPlace,
    /// A SELECT, and then an UPDATE to one more than what it found.
    ReadThenWrite,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Append {
    /// Only where no later holder has appended: the fencing token is checked.
    Fenced,
    /// Whoever asks.
    Unfenced,
}

/// With one, a job is taken over once it has run out; with none, a job is its worker's for good.
#[derive(Clone, Copy)]
struct Lease(Option<Duration>);

fn lease(text: &str) -> Result<Lease, String> {
    match text {
        "none" => Ok(Lease(None)),
        text => length(text).map(|length| Lease(Some(length))),
    }
}

fn length(text: &str) -> Result<Duration, String> {
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 0.001),
        None => (text.strip_suffix('s').unwrap_or(text), 1.0),
    };
    let seconds = number.parse::<f64>().ok().map(|number| number * unit);
    let length = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    length
        .filter(|length| !length.is_zero())
        .ok_or_else(|| "expected a length such as 150ms or 1s".to_owned())
}

/// One line on standard error. Nobody reading it is no failure.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "defects: {text}");
}

async fn run(cli: Cli) -> Result<(), String> {
    let store = |tables, bound| Store::open(&cli.database_url, tables, bound);
    let queue = || store(queue::TABLES, queue::BOUND).map(Queue);
    match cli.role {
        Role::Server { listen, values } => server::open(&listen, queue()?, values).await,
        Role::Worker(settings) => worker::work(settings, queue()?).await,
        Role::Desk(settings) => desk::open(settings, store(desk::TABLES, desk::BOUND)?).await,
    }
}

#[tokio::main]
async fn main() -> std::process::ExitCode {
    match run(Cli::parse()).await {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(why) => {
            say(&why);
            std::process::ExitCode::FAILURE
        }
    }
}
