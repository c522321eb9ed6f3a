//! `--notify`: each finding of a run is posted to an address as JSON.

use std::path::Path;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};
use squall_core::check::Outcome;
use squall_core::report::Report;

use super::inputs::Bad;
use super::say;
use super::target::Allow;
use crate::client::{Address, http};

/// How long one attempt may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often it is tried.
const ATTEMPTS: usize = 2;

/// Whom to tell.
#[derive(Debug, Clone, Args)]
pub(super) struct NotifyArgs {
    /// POST each finding to this address as JSON
    #[arg(long = "notify", value_name = "URL")]
    url: Option<String>,
}

impl NotifyArgs {
    /// Where to, if anywhere. Nothing is sent.
    pub(super) fn address(&self, allow: &Allow) -> Result<Option<Address>, Bad> {
        let read = self.url.as_deref().map(|url| allow.address(url));
        read.transpose().map_err(|bad| match bad {
            Bad::Plain(what, remedy) => Bad::Plain(format!("--notify: {what}"), remedy),
            bad => bad,
        })
    }
}

/// Posts every finding of a report whose files are in `folder`, the first that can't be is the last. Failing is a
/// warning and no more: what was found stands in the report.
pub(super) async fn notify(address: &Address, report: &Report, folder: &Path) {
    let found = findings(report, folder);
    let Err(error) = post_all(address, &found).await else {
        return;
    };
    let several = if found.len() == 1 {
        "a finding was"
    } else {
        "findings were"
    };
    say::err(&format!(
        "⚠️  {several} not posted to {}: {error}; they stand in the report",
        address.host()
    ));
}

async fn post_all(address: &Address, found: &[Value]) -> Result<(), String> {
    if found.is_empty() {
        return Ok(());
    }
    let client = http(address.base(), PATIENCE).map_err(|error| error.to_string())?;
    for finding in found {
        let mut result = Ok(());
        for _ in 0..ATTEMPTS {
            result = post(&client, address, finding).await;
            if result.is_ok() {
                break;
            }
        }
        result?;
    }
    Ok(())
}

async fn post(client: &reqwest::Client, address: &Address, finding: &Value) -> Result<(), String> {
    let answer = client.post(address.base()).json(finding).send().await;
    match answer {
        Ok(answer) if answer.status().is_success() => Ok(()),
        Ok(answer) => Err(format!("it answered {}", answer.status())),
        Err(error) if error.is_timeout() => Err(format!("it did not answer within {} s", PATIENCE.as_secs())),
        Err(error) if error.is_connect() => Err("nobody listens there".to_owned()),
        Err(error) => Err(error.without_url().to_string()),
    }
}

/// One value for each check that failed.
fn findings(report: &Report, folder: &Path) -> Vec<Value> {
    let file = folder.join("report.html");
    let file = std::path::absolute(&file).unwrap_or(file);
    let failed = report.scenarios.iter().flat_map(|scenario| {
        let failed = scenario
            .verdicts
            .iter()
            .filter(|verdict| verdict.outcome == Outcome::Fail);
        failed.map(move |verdict| (scenario, verdict))
    });
    let values = failed.map(|(scenario, verdict)| {
        json!({
            "run": scenario.run.id,
            "system": scenario.run.system,
            "level": scenario.run.level,
            "seed": scenario.run.seed,
            "scenario": scenario.name,
            "check": verdict.check,
            "class": verdict.class,
            "says": verdict.says,
            "report": file.display().to_string(),
        })
    });
    values.collect()
}
