//! `squall verify`: every promise of the API once, against a system that runs.

use std::time::{Duration, Instant};

use clap::Args;
use squall_core::contract::{ApiCase, Ends, Method};
use squall_core::event::{Answer, Outcome};
use squall_core::expr::UnknownName;
use tokio::time::timeout;

use super::inputs::Bad;
use super::say;
use super::target::{Allow, Target, block_on, title};
use crate::client::{Asked, Call, Judged, Names};
use crate::exit;
use crate::secrets::Secrets;

/// A system that starts may take so long to be ready.
const READY: Duration = Duration::from_secs(30);
/// How often is looked whether it is.
const LOOK: Duration = Duration::from_millis(100);

/// What `verify` takes.
#[derive(Debug, Clone, Args)]
pub(super) struct VerifyArgs {
    /// Where the system is: a host [default: localhost]
    host: Option<String>,
    /// Its port
    #[arg(env = "PORT", default_value = "3000", value_parser = super::port)]
    port: u16,
    /// Where it is, when no host is named
    #[arg(long, env = "BASE_URL", value_name = "URL")]
    base_url: Option<String>,
    /// Only wait until it is ready, at most 30 s, and look at its health
    #[arg(long)]
    quick: bool,
    /// The share of cases that must pass, in percent
    #[arg(long, value_name = "PERCENT", default_value = "100", value_parser = super::whole::<u8, 0, 100>)]
    at_least: u8,
    #[command(flatten)]
    allow: Allow,
    /// The system file [default: ./squall.yaml, ./system.yaml or the one in ./systems/*/]
    #[arg(long, env = "SQUALL_SYSTEM", value_name = "FILE")]
    system: Option<std::path::PathBuf>,
}

/// What was seen so far.
#[derive(Default)]
struct Tally {
    passed: usize,
    failed: usize,
    /// Whether anything was answered at all.
    heard: bool,
    secrets: Secrets,
}

/// Asks everything. Answers the exit code.
pub(super) fn verify(args: &VerifyArgs) -> u8 {
    let target = match target(args) {
        Ok(target) => target,
        Err(bad) => {
            bad.say();
            return exit::BAD_INPUT;
        }
    };
    block_on(async {
        let mut tally = Tally::default();
        if args.quick {
            quick(&target, &mut tally).await;
        } else if !target.client.deserted().await {
            // Nobody there is one line's news, not one for each case.
            full(&target, &mut tally).await;
        }
        tally.end(args, &target)
    })
}

fn target(args: &VerifyArgs) -> Result<Target, Bad> {
    let port = args.port;
    let base = match (&args.host, &args.base_url) {
        (None, Some(base)) => base.clone(),
        (None, None) => format!("http://localhost:{port}"),
        (Some(host), _) if host.contains(':') => format!("http://[{}]:{port}", host.trim_matches(['[', ']'])),
        (Some(host), _) => format!("http://{host}:{port}"),
    };
    let target = Target::at(&args.allow.address(&base)?, args.system.as_deref())?;
    let missing = |what: &str, add: &str| {
        let remedy = format!("add `contracts.{add}` to the system file");
        Err(Bad::Plain(format!("the contract does not say {what}"), remedy))
    };
    match args.quick {
        true if target.contracts.health.is_none() => missing("how the system tells that it is ready", "health"),
        false if target.contracts.api.is_empty() => missing("what the API promises", "api"),
        _ => Ok(target),
    }
}

fn get(path: &str) -> Call {
    Call {
        method: Method::Get,
        path: path.to_owned(),
        headers: Default::default(),
        json: None,
    }
}

/// Waits until it is ready, and looks at its health.
async fn quick(target: &Target, tally: &mut Tally) {
    let Some(health) = &target.contracts.health else { return };
    let (ready, began) = (get(&health.ready), Instant::now());
    let last = loop {
        let left = READY.saturating_sub(began.elapsed());
        let judged = match timeout(left, target.client.send(&ready)).await {
            Ok(reply) => reply.judge(Some(200), None),
            Err(_) => Judged {
                answer: Answer::Hung,
                outcome: Outcome::Unknown,
                status: None,
                fault: Some("no answer".to_owned()),
            },
        };
        if judged.answer == Answer::Right || began.elapsed() >= READY {
            break judged;
        }
        tokio::time::sleep(LOOK).await;
    };
    let waited = format!("after {:.1} s", began.elapsed().as_secs_f64());
    tally.heard |= last.status.is_some();
    let fault = last.fault.or_else(|| Some("it says that it can't serve".to_owned()));
    let fault = fault
        .filter(|_| last.answer != Answer::Right)
        .map(|fault| format!("{fault}, still {waited}"));
    tally.line(&format!("GET {} ({waited})", health.ready), fault.as_deref());
    let Some(live) = &health.live else { return };
    let reply = target.client.send(&get(live)).await;
    let judged = reply.judge(Some(200), None);
    tally.heard |= judged.status.is_some();
    tally.line(&format!("GET {live}"), fault_of(judged.answer, judged.fault).as_deref());
}

/// A session, a task, and every case of the API.
async fn full(target: &Target, tally: &mut Tally) {
    let contracts = &target.contracts;
    let session = target
        .session("verify_", |step, asked| tally.asked(&format!("session: {step}"), asked))
        .await;
    let mut names = match session {
        Ok(names) => names,
        Err((failed, cause)) => {
            tally.line(&format!("session: {failed}"), Some(&cause));
            let rest = contracts
                .session
                .iter()
                .map(title)
                .skip_while(|step| *step != failed)
                .skip(1);
            rest.for_each(|step| {
                tally.line(
                    &format!("session: {step}"),
                    Some("not asked: the step before it failed"),
                )
            });
            Names::stranger("verify_")
        }
    };
    for name in ["password", "token"] {
        names
            .get(name)
            .and_then(|secret| secret.as_str())
            .into_iter()
            .for_each(|secret| tally.secrets.add(secret));
    }
    names.set("nonce", format!("{:x}", rand::random::<u64>()));
    if let Some(task) = task(target, &names, tally).await {
        names.set("task", task);
    }
    let each = |case: &ApiCase, asked: Result<Asked, UnknownName>| match asked {
        Ok(asked) => tally.asked(&case.title(), &asked),
        Err(name) => {
            let why = format!("not asked: what gives `{}` failed before it", name.0);
            tally.line(&case.title(), Some(&why));
        }
    };
    target.client.survey(contracts, names, each).await;
}

/// Creates the task other cases ask for: the shortest work there is.
async fn task(target: &Target, names: &Names, tally: &mut Tally) -> Option<serde_json::Value> {
    let tasks = target.contracts.tasks.as_ref()?;
    let done = || tasks.kinds.values().filter(|kind| kind.ends == Ends::Done);
    let timed = |kind: &&squall_core::contract::Kind| kind.payload.to_string().contains("${ms}");
    let kind = done().find(timed).or_else(|| done().next())?;
    let mark = format!("verify-{:x}", rand::random::<u64>());
    let names = names.with("ms", 1).with("mark", mark);
    let title = "a task is taken";
    match target
        .client
        .create(tasks, (&kind.type_name, &kind.payload), &names)
        .await
    {
        Ok(created) => {
            tally.asked(title, &created.asked);
            created.id
        }
        Err(name) => {
            tally.line(
                title,
                Some(&format!("not asked: what gives `{}` failed before it", name.0)),
            );
            None
        }
    }
}

fn fault_of(answer: Answer, fault: Option<String>) -> Option<String> {
    match answer {
        Answer::Right => None,
        Answer::Refused => Some("503: it says that it can't serve".to_owned()),
        _ => Some(fault.unwrap_or_else(|| "it was not the right answer".to_owned())),
    }
}

impl Tally {
    fn asked(&mut self, title: &str, asked: &Asked) {
        self.heard |= asked.judged.status.is_some();
        for (name, value) in &asked.taken {
            if let (true, Some(text)) = (name.contains("token"), value.as_str()) {
                self.secrets.add(text);
            }
        }
        let took = asked.reply.ret.saturating_duration_since(asked.reply.call);
        let status = asked.judged.status.map_or(String::new(), |status| format!("{status} "));
        let title = format!("{title}: {status}in {:.0} ms", took.as_secs_f64() * 1e3);
        self.line(
            &title,
            fault_of(asked.judged.answer, asked.judged.fault.clone()).as_deref(),
        );
    }

    fn line(&mut self, title: &str, fault: Option<&str>) {
        match fault {
            None => {
                self.passed += 1;
                say::out(&format!("✅ {title}"));
            }
            Some(fault) => {
                self.failed += 1;
                say::out(&self.secrets.mask(&format!("❌ {title}: {fault}")));
            }
        }
    }

    fn end(&self, args: &VerifyArgs, target: &Target) -> u8 {
        let total = self.passed + self.failed;
        // Rounded down: 100 % is all of them.
        if let Some(rate) = (self.passed * 100).checked_div(total) {
            say::out(&format!(
                "\nTotal: {total}\nPassed: {}\nFailed: {}\nSuccess rate: {rate}%",
                self.passed, self.failed
            ));
        }
        if !self.heard {
            let remedy = "is it up? `squall up --detach --port 3000` starts one";
            say::problem(&format!("nothing answers at {}", target.base), remedy);
        }
        let enough = self.passed * 100 >= usize::from(args.at_least) * total;
        if enough && self.heard {
            exit::PASS
        } else {
            exit::FINDING
        }
    }
}
