//! The command line: each verb is a slice of the pipeline.

mod again;
mod attend;
mod auth;
mod compare;
mod doctor;
mod flood;
mod halt;
mod history;
mod init;
mod inject;
mod inner;
mod inputs;
mod logs;
mod look;
mod notify;
mod programs;
mod proxy;
mod repeat;
mod reports;
mod run;
mod say;
mod selftest;
mod stages;
mod table;
mod target;
mod up;
mod validate;
mod verify;
mod view;
mod workshop;

use std::path::{Path, PathBuf};

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::exit;
use crate::guard;
use crate::store::RunId;

/// Break a system on purpose, and learn with evidence what was lost, ran twice, was corrupted or hung.
#[derive(Debug, Parser)]
#[command(name = "squall", version, max_term_width = 100, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

const EXIT_CODES: &str = "Exit codes: 0 all hypotheses hold · 1 a finding · 2 bad input, nothing touched · \
                          3 inconclusive, or the environment failed · 4 something could not be healed";

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run scenarios on a fresh system of their own, or on one that runs, and judge them
    Run(RunArgs),
    /// Start a system, wait until it is healthy, and keep it up
    Up(up::UpArgs),
    /// Stop a system that is up, and leave nothing
    Down(attend::Which),
    /// Show each system that is up: services, health, restarts, log files
    Status {
        #[command(flatten)]
        which: attend::Which,
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
    /// Show what the services of a system that is up wrote
    Logs(logs::LogsArgs),
    /// Kill, stop and start a service of a system that is up
    Service(attend::ServiceArgs),
    /// Put one fault in force in a system that is up, for some time, and heal it
    Inject(inject::InjectArgs),
    /// Register somebody new, and print their token and id as JSON
    Auth(auth::AuthArgs),
    /// Create many tasks
    Flood(flood::FloodArgs),
    /// Ask for everything the API promises, and say what was not kept
    Verify(verify::VerifyArgs),
    /// Serve clients of Toxiproxy: proxies that make links slow, narrow and unreliable
    Proxy(proxy::ProxyArgs),
    /// Show what a run would break, and when
    Plan(PlanArgs),
    /// Judge a run again from its journals, and write its reports anew
    Judge {
        /// The run's folder, a scenario's in it, or a journal
        #[arg(default_value = "tmp/latest")]
        run: PathBuf,
        /// Print the report as JSON instead
        #[arg(long)]
        json: bool,
    },
    /// List the runs there were, and their findings: first seen, last seen, gone
    History(history::HistoryArgs),
    /// Compare two sets of runs: which figures changed, by how much, how surely
    Compare(compare::CompareArgs),
    /// Write a first system file from a Compose file or an OpenAPI document, and say what was guessed
    Init(init::InitArgs),
    /// Check system and scenario files without touching anything
    Validate {
        /// The files; the ones `run` would use when none are named
        files: Vec<PathBuf>,
        /// The system that scenarios are planned on, where none is among the files [default: as for `run`]
        #[arg(long, env = "SQUALL_SYSTEM", value_name = "FILE")]
        system: Option<PathBuf>,
    },
    /// List scenarios, levels, faults or checks
    List {
        /// What to list; everything when not said
        #[arg(value_enum)]
        what: Option<look::What>,
    },
    /// Show what this machine allows: by what each fault is put in force, what proves it, or what would enable it
    Doctor {
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the JSON Schema of system or scenario files, for editors
    Schema {
        /// Which
        #[arg(value_enum)]
        of: look::Of,
    },
    /// Stop and remove whatever runs left behind whose two processes both died
    Heal {
        /// The runs' folder
        #[arg(short, long, env = "OUTPUT_DIR", default_value = "tmp")]
        output: PathBuf,
    },
    /// What squall starts for itself
    #[command(subcommand, hide = true)]
    Inner(inner::Inner),
    /// Run every planted bug of taskhub against the scenario that must catch it
    Selftest(selftest::SelftestArgs),
}

/// Which system, at which level, how fast.
#[derive(Debug, Clone, Args)]
struct Choice {
    /// Scenarios, separated by commas; `all` for every bundled one and those in ./scenarios
    #[arg(short, long, env = "SCENARIOS", default_value = "all", value_name = "A,B")]
    scenarios: String,
    /// They were chosen together, as `all` is, and not one by one.
    #[arg(skip)]
    together: bool,
    /// How many are run at once.
    #[arg(skip = 1)]
    jobs: u8,
    /// Difficulty level, 1 to 6
    #[arg(short, long, env = "DIFFICULTY", default_value = "1", value_name = "N", value_parser = level)]
    difficulty: u8,
    /// The system file [default: ./squall.yaml, ./system.yaml or the one in ./systems/*/]
    #[arg(long, env = "SQUALL_SYSTEM", value_name = "FILE")]
    system: Option<PathBuf>,
    /// What all randomness is drawn from; the same seed gives the same plan
    #[arg(long, value_name = "N", value_parser = seed)]
    seed: Option<u64>,
    /// Divide every planned duration by this
    #[arg(long, default_value = "1", value_name = "N", value_parser = pace)]
    pace: f64,
    /// Change a value of the level, for example `tasks=40`
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = set)]
    sets: Vec<(String, String)>,
}

#[derive(Debug, Clone, Args)]
struct RunArgs {
    #[command(flatten)]
    choice: Choice,
    /// A step of taking chaos testing up: its own level, scenarios and time limit
    #[arg(long, value_enum, conflicts_with_all = ["scenarios", "difficulty"])]
    stage: Option<stages::Stage>,
    /// Print every event, and keep it in chaos-test.log
    #[arg(short, long, env = "VERBOSE", value_parser = clap::builder::BoolishValueParser::new())]
    verbose: bool,
    /// The port the entry service shall have; any free one when not said
    #[arg(short, long, env = "PORT", value_name = "PORT", value_parser = port)]
    port: Option<u16>,
    /// Attach to the system that runs there instead of starting one, for example http://localhost:3000
    #[arg(long, env = "BASE_URL", value_name = "URL")]
    base_url: Option<String>,
    #[command(flatten)]
    allow: target::Allow,
    /// Run so many scenarios at once, each on a system of its own: sooner done, but they share the machine
    #[arg(short, long, value_name = "N", default_value_t = 1, value_parser = whole::<u8, 1, 16>, conflicts_with_all = ["port", "base_url"])]
    jobs: u8,
    /// Where the run's folder goes
    #[arg(short, long, env = "OUTPUT_DIR", default_value = "tmp", value_name = "DIR")]
    output: PathBuf,
    /// Print the report as JSON on standard output
    #[arg(long)]
    json: bool,
    /// Keep the run under this name, too: `squall compare label:NAME label:OTHER`
    #[arg(long, value_name = "NAME", value_parser = label)]
    label: Option<String>,
    #[command(flatten)]
    halt: halt::Halt,
    #[command(flatten)]
    notify: notify::NotifyArgs,
    #[command(flatten)]
    repeat: repeat::RepeatArgs,
    /// Without the guard, whatever is killed leaves its remains: for squall's own tests
    #[arg(long, hide = true)]
    no_guard: bool,
}

#[derive(Debug, Clone, Args)]
struct PlanArgs {
    #[command(flatten)]
    choice: Choice,
    /// Print the plans as JSON
    #[arg(long)]
    json: bool,
}

/// A whole number between two bounds.
fn whole<T: TryFrom<u64>, const LEAST: u64, const MOST: u64>(text: &str) -> Result<T, String> {
    let number = text.parse().ok().filter(|number| (LEAST..=MOST).contains(number));
    number
        .and_then(|number| T::try_from(number).ok())
        .ok_or_else(|| format!("a whole number from {LEAST} to {MOST} is expected"))
}

/// What all randomness is drawn from.
fn seed(text: &str) -> Result<u64, String> {
    whole::<u64, 0, { u64::MAX }>(text)
}

fn level(text: &str) -> Result<u8, String> {
    match text.parse() {
        Ok(level @ 1..=6) => Ok(level),
        _ => Err("levels are 1 to 6; `squall list levels` describes them".to_owned()),
    }
}

fn port(text: &str) -> Result<u16, String> {
    match text.parse() {
        Ok(port @ 1..) => Ok(port),
        _ => Err("a port is a number from 1 to 65535".to_owned()),
    }
}

fn pace(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(pace) if (0.1..=100.0).contains(&pace) => Ok(pace),
        _ => Err("a pace is a number from 0.1 to 100; 1 is real time, 10 is ten times as fast".to_owned()),
    }
}

fn label(text: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_alphanumeric() || "-_.+/@#".contains(c);
    match !text.is_empty() && text.len() <= 100 && text.chars().all(allowed) {
        true => Ok(text.to_owned()),
        false => Err("a label is 1 to 100 letters, digits and - _ . + / @ #, such as v1.2-slow".to_owned()),
    }
}

fn set(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE, for example tasks=40".to_owned()),
    }
}

/// The program. Answers its exit code.
pub fn main() -> u8 {
    let staged = std::env::args_os().any(|arg| arg.to_string_lossy().starts_with("--stage"));
    let parsed = Cli::command().mut_subcommands(|verb| unset_when_empty(verb, staged));
    let cli = match parsed
        .try_get_matches_from(proxy::with_two_dashes(std::env::args_os()))
        .and_then(|matches| Cli::from_arg_matches(&matches))
    {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() {
                exit::BAD_INPUT
            } else {
                exit::PASS
            };
            // Help into a closed pipe is no failure of ours.
            let _ = error.print();
            return code;
        }
    };
    match cli.verb {
        Verb::Run(args) if args.repeat.wanted() => repeat::repeat(&args),
        Verb::Run(args) => one(args.turn()),
        Verb::Selftest(args) => guarded(args.seed, &args.output, |id| selftest::selftest(&args, id)),
        Verb::Up(args) => up::up(&args),
        Verb::Down(which) => attend::down(&which),
        Verb::Status { which, json } => attend::status(&which, json),
        Verb::Logs(args) => logs::logs(&args),
        Verb::Service(args) => attend::service(&args),
        Verb::Inject(args) => inject::inject(&args),
        Verb::Auth(args) => auth::auth(&args),
        Verb::Flood(args) => flood::flood(&args),
        Verb::Verify(args) => verify::verify(&args),
        Verb::Proxy(args) => proxy::proxy(&args),
        Verb::Plan(args) => look::plan(&args),
        Verb::Init(args) => init::init(&args),
        Verb::Judge { run, json } => look::judge(&run, json),
        Verb::History(args) => history::history(&args),
        Verb::Compare(args) => compare::compare(&args),
        Verb::Validate { files, system } => validate::validate(&files, system.as_deref()),
        Verb::List { what } => look::list(what),
        Verb::Doctor { json } => doctor::doctor(json),
        Verb::Schema { of } => look::schema(of),
        Verb::Inner(inner) => inner::inner(&inner),
        Verb::Heal { output } => look::heal(&output),
    }
}

/// One run.
fn one(args: RunArgs) -> u8 {
    if args.repeat.is_turn() {
        guard::follow_parent();
    }
    match args.no_guard {
        true => run::run(&args, &RunId::new(args.choice.seed.unwrap_or_else(rand::random))),
        false => guarded(args.choice.seed, &args.output, |id| run::run(&args, id)),
    }
}

/// CI systems set what they have no value for to nothing: that is no value. And what a stage
/// decides, whoever names the stage need not unset.
fn unset_when_empty(verb: clap::Command, staged: bool) -> clap::Command {
    verb.mut_args(|arg| match arg.get_env().and_then(|name| name.to_str()) {
        Some("SCENARIOS" | "DIFFICULTY") if staged => arg.env(None::<&str>),
        Some(name) if std::env::var_os(name).is_some_and(|value| value.is_empty()) => arg.env(None::<&str>),
        _ => arg,
    })
}

/// Does `work` in the second of squall's two processes; the first only guards it.
fn guarded(seed: Option<u64>, output: &Path, work: impl FnOnce(&RunId) -> u8) -> u8 {
    match guard::role() {
        guard::Role::Worker(id) => work(&id),
        guard::Role::Guard => {
            let id = RunId::new(seed.unwrap_or_else(|| u64::from(rand::random::<u32>())));
            guard::stand_guard(&id, output).unwrap_or_else(|error| {
                say::problem(&format!("the working process can't be started: {error}"), say::NO_ROOM);
                exit::ENVIRONMENT
            })
        }
    }
}
