//! Targets: the system a verb speaks to that starts none of its own.

use std::path::{Path, PathBuf};

use clap::Args;
use squall_core::contract::{Contracts, Request};
use tokio::runtime::Builder;

use super::attend::{Which, look};
use super::inputs::{Bad, system};
use super::say;
use crate::client::{Address, Asked, Client, Names};
use crate::exit;

/// Which system.
#[derive(Debug, Clone, Args)]
pub(super) struct TargetArgs {
    /// Where the system is, for example http://localhost:3000 [default: the one that `up` started]
    #[arg(long, env = "BASE_URL", value_name = "URL")]
    base_url: Option<String>,
    #[command(flatten)]
    allow: Allow,
    /// The system file that says how it is spoken to, or the name of a system that is up
    #[arg(long, env = "SQUALL_SYSTEM", value_name = "FILE|NAME")]
    system: Option<String>,
    /// The folder `up` was given
    #[arg(short, long, env = "OUTPUT_DIR", default_value = "tmp", value_name = "DIR")]
    output: PathBuf,
}

/// Which machines besides this one may be spoken to.
#[derive(Debug, Clone, Args)]
pub(super) struct Allow {
    /// Speak to this host, too: without it only to this machine
    #[arg(long = "allow-host", value_name = "NAME")]
    hosts: Vec<String>,
}

/// A system to speak to, and how.
pub(super) struct Target {
    pub(super) client: Client,
    pub(super) base: String,
    pub(super) contracts: Contracts,
}

impl Allow {
    /// The system at an address, which must be this machine's or named. Nothing is sent.
    pub(super) fn address(&self, text: &str) -> Result<Address, Bad> {
        Address::read(text, &self.hosts).map_err(|error| Bad::Plain(error.to_string(), error.remedy()))
    }
}

impl TargetArgs {
    /// Finds it. An error was said, and is its exit code.
    pub(super) fn find(&self) -> Result<Target, u8> {
        let bad = |bad: Bad| {
            bad.say();
            exit::BAD_INPUT
        };
        let file = self
            .system
            .as_deref()
            .map(Path::new)
            .filter(|path| path.is_file() || path.extension().is_some());
        if let Some(base) = &self.base_url {
            let address = self.allow.address(base).map_err(bad)?;
            return Target::at(&address, self.system.as_deref().map(Path::new)).map_err(bad);
        }
        let which = Which {
            system: self.system.clone().filter(|_| file.is_none()),
            output: self.output.clone(),
        };
        let found = which.one().map_err(|error| bad(with_base_url(error)))?;
        let status = look(&found).map_err(|why| {
            say::problem(&why.to_string(), "it may still be starting, or just end: try again");
            exit::ENVIRONMENT
        })?;
        let address = self.allow.address(&status.url).map_err(bad)?;
        Target::at(&address, Some(file.unwrap_or(&status.file))).map_err(bad)
    }
}

fn with_base_url(bad: Bad) -> Bad {
    match bad {
        Bad::Plain(what, remedy) => Bad::Plain(what, format!("{remedy}\nor say where one is with --base-url URL")),
        other => other,
    }
}

impl Target {
    /// The system at an address, spoken to as a system file says.
    pub(super) fn at(address: &Address, file: Option<&Path>) -> Result<Self, Bad> {
        // What level and pace change is nothing that is said to a system.
        let (system, _) = system(file, 1, 1.0)?;
        let client = Client::at(address).map_err(|error| {
            let remedy = "is the machine out of descriptors or memory?".to_owned();
            Bad::Plain(format!("there can be no client: {error}"), remedy)
        })?;
        Ok(Self {
            client,
            base: address.base().to_owned(),
            contracts: system.contracts,
        })
    }

    /// Opens a session as somebody new; `each` is told of every step.
    ///
    /// # Errors
    /// Which step failed, and why. The steps after it were not taken.
    pub(super) async fn session(
        &self,
        prefix: &str,
        mut each: impl FnMut(&str, &Asked),
    ) -> Result<Names, (String, String)> {
        let mut names = Names::stranger(prefix);
        for request in &self.contracts.session {
            let title = title(request);
            let asked = match self.client.open(request, &names).await {
                Ok(asked) => asked,
                Err(cause) => return Err((title, cause)),
            };
            for (name, value) in &asked.taken {
                names.set(name, value.clone());
            }
            each(&title, &asked);
        }
        Ok(names)
    }
}

/// What a step of a session is called.
pub(super) fn title(request: &Request) -> String {
    format!("{} {}", request.method.name(), request.path)
}

/// Runs a future to its end. An error was said, and is its exit code.
pub(super) fn block_on(work: impl Future<Output = u8>) -> u8 {
    finish(Builder::new_multi_thread().worker_threads(2), work)
}

/// The same on this thread alone.
pub(super) fn block_on_one(work: impl Future<Output = u8>) -> u8 {
    finish(&mut Builder::new_current_thread(), work)
}

fn finish(builder: &mut Builder, work: impl Future<Output = u8>) -> u8 {
    match builder.enable_all().build() {
        Ok(runtime) => runtime.block_on(work),
        Err(error) => {
            say::problem(&format!("the runtime can't be started: {error}"), say::NO_ROOM);
            exit::ENVIRONMENT
        }
    }
}
