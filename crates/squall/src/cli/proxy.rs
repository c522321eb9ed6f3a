//! `squall proxy`: a server that Toxiproxy's clients use as they are.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde_json::Value;
use tokio::net::{TcpListener, lookup_host};
use tokio::signal::unix::{SignalKind, signal};

use super::say::{err, problem};
use super::target::block_on_one;
use crate::toxiproxy::{Proxies, serve};
use crate::{exit, priority};

#[derive(Debug, Args)]
pub(super) struct ProxyArgs {
    /// Where the API listens
    #[arg(long, default_value = "localhost", value_name = "HOST")]
    host: String,
    /// Its port
    #[arg(long, default_value_t = 8474, value_name = "PORT", value_parser = super::whole::<u16, 0, 65535>)]
    port: u16,
    /// Proxies to begin with: a JSON list, with their toxics if any
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// What all chance is drawn from
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = super::seed)]
    seed: u64,
    /// Serve /metrics
    #[arg(long)]
    proxy_metrics: bool,
    /// The same: there is no other runtime to measure
    #[arg(long)]
    runtime_metrics: bool,
}

/// `squall proxy`. Serves until it is told to stop.
pub(super) fn proxy(args: &ProxyArgs) -> u8 {
    let list = match args.config.as_deref().map(config).transpose() {
        Ok(list) => list,
        Err(why) => {
            problem(
                &why,
                "a configuration is a JSON list: [{\"name\": \"db\", \"upstream\": \"localhost:5432\"}]",
            );
            return exit::BAD_INPUT;
        }
    };
    priority::ahead();
    // Most of the time from a call to its effect is handing over from thread to thread.
    block_on_one(async {
        let mut proxies = Proxies::new(args.seed);
        if let Some(list) = list
            && let (_, Some(refused)) = proxies.populate(&list).await
        {
            problem(
                &format!("the configuration can't be used: {}", refused.error),
                "it is what POST /populate takes, such as [{\"name\": \"db\", \"upstream\": \"localhost:5432\"}]",
            );
            return exit::BAD_INPUT;
        }
        match attend(args, proxies).await {
            Ok(()) => exit::PASS,
            Err(error) => {
                let whom = format!("{}:{}", args.host, args.port);
                problem(
                    &format!("the API can't be served at {whom}: {error}"),
                    "choose another with --host or --port",
                );
                exit::ENVIRONMENT
            }
        }
    })
}

fn config(path: &Path) -> Result<Value, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{} can't be read: {error}", path.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{} is not JSON: {error}", path.display()))
}

async fn attend(args: &ProxyArgs, proxies: Proxies) -> io::Result<()> {
    let mut found: Vec<_> = lookup_host((args.host.as_str(), args.port)).await?.collect();
    found.sort_by_key(std::net::SocketAddr::is_ipv6);
    let listener = TcpListener::bind(&found[..]).await?;
    let (mut int, mut term) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let most = descriptors()?;
    err(&format!(
        "squall: answers clients of Toxiproxy at http://{}, seed {}; {most} descriptors, two for each connection",
        listener.local_addr()?,
        args.seed
    ));
    if !listener.local_addr()?.ip().is_loopback() {
        err("squall: whoever reaches that address can open ports here and see what passes: it asks for no password");
    }
    tokio::select! {
        served = serve(listener, proxies, args.proxy_metrics || args.runtime_metrics) => served,
        _ = int.recv() => Ok(()),
        _ = term.recv() => Ok(()),
    }
}

/// As many descriptors as may be had without asking anybody: the usual limit is meant for programs that `select`. No
/// other program is started here, which would get them, too.
fn descriptors() -> io::Result<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    // Refused, the old limit stays.
    Ok(setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map_or(soft, |()| hard))
}

/// Toxiproxy's flags have one dash, which clap takes for several short ones.
pub(super) fn with_two_dashes(args: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut all: Vec<OsString> = args.collect();
    if all.get(1).is_some_and(|verb| verb == "proxy") {
        for arg in all.iter_mut().skip(2) {
            let long = arg
                .to_str()
                .filter(|text| text.len() > 2 && text.starts_with('-') && !text.starts_with("--"));
            if let Some(text) = long {
                *arg = format!("-{text}").into();
            }
        }
    }
    all
}
