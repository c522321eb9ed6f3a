//! The clients: each is a child on the same core, and its cost is what the system says it was.

use std::error::Error;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use serde_json::Value;

use crate::own;
use crate::server::Server;

/// Where the server runs.
pub const SERVER_CORE: &str = "0";
/// Where the clients run.
const CLIENT_CORE: &str = "1";
/// Connections of each client.
const CONNECTIONS: &str = "32";
/// More than any server here answers: the client is never without work.
const FLOOD: &str = "250000";

/// The peers that are installed.
pub struct Peers {
    wrk: Option<PathBuf>,
    oha: Option<PathBuf>,
    hey: Option<PathBuf>,
}

/// Who sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    Squall,
    /// Sends nothing and only waits: as punctual as this machine can be.
    Timer,
    Wrk,
    Oha,
    /// As it is unless told to correct its latencies.
    OhaUncorrected,
    Hey,
}

/// How much is sent.
#[derive(Debug, Clone, Copy)]
pub struct Amount {
    /// Requests a second; `None` is as many as possible.
    pub rate: Option<u32>,
    pub seconds: u32,
}

/// What a client said, and what it cost.
pub struct Told {
    pub answered: f64,
    /// CPU seconds, the kernel's included.
    pub cpu: f64,
    /// Latencies in seconds, where it tells any.
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    /// How late it sent; squall only.
    pub late50: f64,
    pub late99: f64,
}

/// A client at work.
pub struct Sending {
    child: Child,
    client: Client,
    before: f64,
}

impl Peers {
    /// Looks for them, and says which are missing.
    pub fn find() -> Self {
        let find = |name: &str| {
            let given = std::env::var_os(name.to_uppercase()).map(PathBuf::from);
            let path = std::env::var_os("PATH").unwrap_or_default();
            let found = given.or_else(|| {
                std::env::split_paths(&path)
                    .map(|folder| folder.join(name))
                    .find(|file| file.exists())
            });
            if found.is_none() {
                println!("{name} is not installed, and left out");
            }
            found
        };
        Self {
            wrk: find("wrk"),
            oha: find("oha"),
            hey: find("hey"),
        }
    }

    /// Those of some clients that can be run.
    pub fn among(&self, clients: &[Client]) -> Vec<Client> {
        let there = |client: &Client| match client {
            Client::Squall | Client::Timer => true,
            Client::Wrk => self.wrk.is_some(),
            Client::Oha | Client::OhaUncorrected => self.oha.is_some(),
            Client::Hey => self.hey.is_some(),
        };
        clients.iter().copied().filter(there).collect()
    }

    /// Has a client begin.
    pub fn start(&self, client: Client, server: &Server, amount: Amount) -> Result<Sending, Box<dyn Error>> {
        let seconds = amount.seconds.to_string();
        let rate = amount.rate.map(|rate| rate.to_string());
        let url = format!("http://{}/", server.addr);
        let lasting = format!("{seconds}s");
        let program = |found: &Option<PathBuf>| found.clone().map(Command::new).ok_or("it is not installed");
        let mut command = match client {
            Client::Squall => {
                let mut command = Command::new(std::env::current_exe()?);
                let rate = rate.as_deref().unwrap_or(FLOOD);
                command.args([own::VERB, &server.addr, rate, &seconds, CONNECTIONS]);
                command
            }
            Client::Timer => {
                let mut command = Command::new(std::env::current_exe()?);
                command.args([own::WAIT, rate.as_deref().unwrap_or(FLOOD), &seconds]);
                command
            }
            Client::Wrk => {
                let mut command = program(&self.wrk)?;
                command.args(["-t1", "-c", CONNECTIONS, "-d", &lasting, &url]);
                command
            }
            Client::Oha | Client::OhaUncorrected => {
                let mut command = program(&self.oha)?;
                command.args(["--no-tui", "--output-format", "json", "-c", CONNECTIONS, "-z", &lasting]);
                if let Some(rate) = &rate {
                    command.args(["-q", rate]);
                }
                if rate.is_some() && client == Client::Oha {
                    command.arg("--latency-correction");
                }
                command.arg(&url);
                command
            }
            Client::Hey => {
                let mut command = program(&self.hey)?;
                command.args(["-cpus", "1", "-c", CONNECTIONS, "-z", &lasting, &url]);
                command
            }
        };
        let before = cpu_of_children();
        let child = pinned(CLIENT_CORE, &mut command).stdout(Stdio::piped()).spawn()?;
        Ok(Sending { child, client, before })
    }

    /// Has a client send, from beginning to end.
    pub fn run(&self, client: Client, server: &Server, amount: Amount) -> Result<Told, Box<dyn Error>> {
        self.start(client, server, amount)?.finish()
    }
}

impl Sending {
    /// Waits for its end.
    pub fn finish(self) -> Result<Told, Box<dyn Error>> {
        let done = self.child.wait_with_output()?;
        let text = String::from_utf8_lossy(&done.stdout);
        let mut told = told(self.client, &text).ok_or_else(|| format!("{:?} said: {text}", self.client))?;
        told.cpu = cpu_of_children() - self.before;
        Ok(told)
    }
}

/// Reads what a client printed.
fn told(client: Client, text: &str) -> Option<Told> {
    let of = |answered: f64, number: &dyn Fn(&str) -> f64| Told {
        answered,
        cpu: 0.0,
        p50: number("p50"),
        p90: number("p90"),
        p99: number("p99"),
        late50: number("late50"),
        late99: number("late99"),
    };
    let before = |words: &str| text.split(words).next()?.split_whitespace().next_back()?.parse().ok();
    match client {
        Client::Squall | Client::Timer => {
            let json: Value = serde_json::from_str(text).ok()?;
            for limit in json["limits"].as_array()? {
                println!("squall says: {}", limit.as_str()?);
            }
            Some(of(json["answered"].as_f64()?, &|key| {
                json[key].as_f64().unwrap_or(f64::NAN)
            }))
        }
        Client::Oha | Client::OhaUncorrected => {
            let json: Value = serde_json::from_str(text).ok()?;
            let answered = json["statusCodeDistribution"]["200"].as_f64()?;
            let latencies = &json["latencyPercentiles"];
            Some(of(answered, &|key| latencies[key].as_f64().unwrap_or(f64::NAN)))
        }
        Client::Wrk => Some(of(before(" requests in ")?, &|_| f64::NAN)),
        Client::Hey => Some(of(before(" responses")?, &|_| f64::NAN)),
    }
}

/// The command, on one core if `taskset` can see to that.
pub fn pinned(core: &str, command: &mut Command) -> Command {
    let mut pinned = match Command::new("taskset").args(["-c", core, "true"]).status() {
        Ok(status) if status.success() => {
            let mut pinned = Command::new("taskset");
            pinned.args(["-c", core]).arg(command.get_program());
            pinned
        }
        _ => Command::new(command.get_program()),
    };
    pinned.args(command.get_args());
    pinned
}

/// CPU seconds of all children that have ended.
fn cpu_of_children() -> f64 {
    let seconds = |time: TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    getrusage(UsageWho::RUSAGE_CHILDREN).map_or(f64::NAN, |usage| {
        seconds(usage.user_time()) + seconds(usage.system_time())
    })
}
