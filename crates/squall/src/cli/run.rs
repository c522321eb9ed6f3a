//! `squall run`: plan, build, run each scenario on a fresh system, judge, report.

use std::time::Instant;

use futures_util::stream::{FuturesUnordered, StreamExt};
use squall_core::plan::Plan;
use squall_core::report::{Report, json, terminal};

use super::inputs::{Bad, Inputs, inputs};
use super::notify::notify;
use super::view::Views;
use super::workshop::{Work, Workshop, environment};
use super::{RunArgs, history, say};
use crate::client::Address;
use crate::exit;
use crate::store::RunId;
use crate::world::Trouble;

/// After this many scenarios broke on their environment, the rest would too.
const ENOUGH: usize = 1;

/// Runs what was asked for. Answers the exit code.
pub(super) fn run(args: &RunArgs, id: &RunId) -> u8 {
    let began = Instant::now();
    let seed = args.choice.seed.unwrap_or_else(|| id.seed());
    let read = || {
        args.halt.refuse()?;
        let attach = args.attach()?;
        let inputs = inputs(&args.chosen(), attach.as_ref(), seed)?;
        Ok((inputs, attach, args.notify.address(&args.allow)?))
    };
    let (inputs, attach, told) = match read() {
        Ok(read) => read,
        Err(bad) => {
            Bad::say(&bad);
            return exit::BAD_INPUT;
        }
    };
    let workshop = match Workshop::open(id, &args.output, (!args.no_guard, &args.halt)) {
        Ok(workshop) => workshop,
        Err(trouble) => return environment(&trouble),
    };
    if let Some(warning) = &inputs.level.warning {
        say::err(&format!("⚠️  {warning}"));
    }
    let notes = inputs.plans.iter().flat_map(Plan::notes);
    notes.for_each(|note| say::err(&format!("squall: note: {note}")));
    if let Some(to) = &attach {
        say::err(&format!(
            "squall: attached to {}: it is worked and judged by its answers, and left as it runs",
            to.base()
        ));
    }
    say::err(&format!(
        "squall: level {} ({}), pace {}, seed {seed}, into {}",
        inputs.level.level,
        inputs.level.name,
        args.choice.pace,
        workshop.folder.path().display()
    ));
    args.stage.iter().for_each(|stage| stage.say());
    let code = match workshop.block_on(scenarios(args, (&inputs, attach.as_ref()), &workshop)) {
        Ok(report) => {
            say::out(shown(args, &report).trim_end());
            say::err(&format!(
                "Report: {}",
                workshop.folder.path().join("report.html").display()
            ));
            history::keep(args, &report);
            if let Some(address) = &told {
                workshop.block_on(notify(address, &report, workshop.folder.path()));
            }
            exit::code(report.outcome)
        }
        Err(trouble) => workshop.say(&trouble),
    };
    workshop.close();
    args.stage.iter().for_each(|stage| stage.warn(began.elapsed()));
    say::err(&format!("The same again: the same command with --seed {seed}"));
    code
}

/// A run on its own is shown whole; of one of many its lines are enough.
fn shown(args: &RunArgs, report: &Report) -> String {
    let style = terminal::Style { color: say::colour() };
    match (args.json, args.repeat.is_turn()) {
        (true, _) => json::render(report),
        (false, true) => terminal::lines(report, style),
        (false, false) => terminal::render(report, style),
    }
}

async fn scenarios(
    args: &RunArgs,
    (inputs, attach): (&Inputs, Option<&Address>),
    workshop: &Workshop,
) -> Result<Report, Trouble> {
    let names: Vec<String> = inputs.plans.iter().map(|plan| plan.scenario.clone()).collect();
    let planned = workshop.folder.plan(&names, &inputs.left_out);
    planned.map_err(Trouble::io("the run's folder"))?;
    let cluster = match attach {
        Some(_) => {
            workshop.spare(&inputs.system);
            None
        }
        None => workshop.prepare(&inputs.system).await?,
    };
    let views = Views::new(args.verbose.then(|| workshop.folder.path().join("chaos-test.log")));
    let at_once = usize::from(args.jobs);
    let one = async |plan: &Plan| {
        let view = views.open(&plan.scenario);
        let work = Work {
            system: &inputs.system,
            plan,
            name: &plan.scenario,
            attach,
            cluster: cluster.as_ref(),
            port: args.port,
            alone: at_once == 1,
        };
        let result = workshop.run(work, Some(view.sender())).await;
        view.close();
        result
    };
    let (mut plans, mut going) = (inputs.plans.iter(), FuturesUnordered::new());
    let mut broken = 0;
    loop {
        while going.len() < at_once && broken < ENOUGH && !*workshop.stop.borrow() {
            let Some(plan) = plans.next() else { break };
            going.push(one(plan));
        }
        let Some(result) = going.next().await else { break };
        if let Err(trouble) = result {
            workshop.say(&trouble);
            broken += 1;
        }
        // After each scenario anew: whatever happens to the next one, these are there.
        workshop.report()?;
    }
    workshop.report()
}
