//! `squall auth`: somebody new, who is logged in, for scripts.

use clap::Args;
use squall_core::contract::Contracts;

use super::inputs::Bad;
use super::say;
use super::target::{TargetArgs, block_on};
use crate::exit;

/// What `auth` takes.
#[derive(Debug, Clone, Args)]
pub(super) struct AuthArgs {
    /// What the new user's name begins with
    #[arg(long, value_name = "TEXT", default_value = "squall")]
    prefix: String,
    #[command(flatten)]
    target: TargetArgs,
}

/// What a script gets.
const GIVEN: [&str; 2] = ["token", "user_id"];

/// Opens a session and prints what it gives. Answers the exit code.
pub(super) fn auth(args: &AuthArgs) -> u8 {
    let target = match args.target.find() {
        Ok(target) => target,
        Err(code) => return code,
    };
    if let Err(bad) = gives_all(&target.contracts) {
        bad.say();
        return exit::BAD_INPUT;
    }
    block_on(async {
        match target.session(&format!("{}_", args.prefix), |_, _| ()).await {
            Ok(names) => {
                let values = GIVEN
                    .iter()
                    .filter_map(|name| Some(((*name).to_owned(), names.get(name)?.clone())));
                let given: serde_json::Map<String, serde_json::Value> = values.collect();
                say::out(&serde_json::Value::Object(given).to_string());
                exit::PASS
            }
            Err((step, cause)) => {
                let remedy = "`squall status` shows whether it is up, `squall verify` what it answers";
                say::problem(&format!("{step} at {}: {cause}", target.base), remedy);
                exit::ENVIRONMENT
            }
        }
    })
}

fn gives_all(contracts: &Contracts) -> Result<(), Bad> {
    let taken = |name: &str| contracts.session.iter().any(|request| request.take.contains_key(name));
    match GIVEN.iter().find(|name| !taken(name)) {
        None => Ok(()),
        Some(name) => Err(Bad::Plain(
            format!("the contract's session gives no `{name}`"),
            format!("add `take: {{ {name}: $.{name} }}` to its last request in the system file"),
        )),
    }
}
