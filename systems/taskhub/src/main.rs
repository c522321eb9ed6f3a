//! A small task service: an HTTP server, workers and PostgreSQL.
//!
//! One binary, three roles. `server` accepts tasks, `worker` runs them,
//! `partner` stands in for the external API that some of them call.

mod breaker;
mod bug;
mod db;
mod partner;
mod server;
mod settings;
mod shutdown;
mod task;
mod worker;

use std::error::Error;
use std::io::{IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tokio::runtime::{Builder, Runtime};
use tracing_subscriber::EnvFilter;

use settings::Settings;
use shutdown::Shutdown;

/// A small task service. All settings but the address come from the environment.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    /// Serve the HTTP API.
    Server {
        /// Address to listen on.
        #[arg(long)]
        listen: SocketAddr,
    },
    /// Run tasks until told to stop.
    Worker,
    /// Serve the external API that `webhook` tasks call.
    Partner {
        /// Address to listen on.
        #[arg(long)]
        listen: SocketAddr,
    },
}

/// Exit code for settings that can't be used.
const BAD_SETTINGS: u8 = 2;

fn main() -> ExitCode {
    let role = Cli::parse().role;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| "info,sqlx=off".into());
    // Colours are for people: a log file is read by tools.
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_env_filter(filter)
        .init();
    let outcome = runtime(&role)
        .map_err(Into::into)
        .and_then(|runtime| runtime.block_on(run(role)));
    let Err(error) = outcome else {
        return ExitCode::SUCCESS;
    };
    // If stderr is closed there is nobody left to tell.
    let _ = writeln!(std::io::stderr(), "taskhub: {error}");
    if error.is::<settings::BadSetting>() {
        BAD_SETTINGS.into()
    } else {
        ExitCode::FAILURE
    }
}

/// Threads for whoever answers many at once. A worker waits most of the time, and what wakes it should
/// not have to wake another thread first.
fn runtime(role: &Role) -> std::io::Result<Runtime> {
    let mut builder = match role {
        Role::Server { .. } => Builder::new_multi_thread(),
        Role::Worker | Role::Partner { .. } => Builder::new_current_thread(),
    };
    builder.enable_all().build()
}

async fn run(role: Role) -> Result<(), Box<dyn Error>> {
    let shutdown = Shutdown::listen()?;
    match role {
        Role::Server { listen } => {
            let settings = Settings::from_env(settings::Role::Server)?;
            server::run(settings, listen, shutdown).await?;
        }
        Role::Worker => {
            let settings = Settings::from_env(settings::Role::Worker)?;
            worker::run(settings, shutdown).await?;
        }
        Role::Partner { listen } => partner::run(listen, shutdown).await?,
    }
    Ok(())
}
