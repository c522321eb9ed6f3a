//! What the instances use of the machine, and what the databases do.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use squall_core::event::{DatabaseLook, Fact, MachineLook, NoteKind, Usage};
use squall_core::place::Instance;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::gate;
use crate::processes;
use crate::store::Recorder;
use crate::world::World;

/// Between two looks.
const EVERY: Duration = Duration::from_millis(500);

/// One row whatever the version: PostgreSQL counts active time from 14 on.
const QUERY: &str = "select \
     (select count(*) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()), \
     (select count(*) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid() \
        and state <> 'idle'), \
     current_setting('max_connections')::bigint, \
     (select sum(xact_commit)::bigint from pg_stat_database), \
     (select sum((to_jsonb(d) ->> 'active_time')::float8) from pg_stat_database d)";

/// Looks until it is aborted; not at all at processes that are not squall's own.
pub async fn usages(world: Arc<World>, recorder: Recorder) {
    let Some(world) = world.processes() else { return };
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before = HashMap::new();
    let mut machine = None;
    let mut silent: HashMap<Instance, bool> = HashMap::new();
    loop {
        ticks.tick().await;
        for instance in world.instances() {
            let Some(pid) = world.pid(&instance) else { continue };
            let (cpu, rss_kib, fds) = processes::usage(&processes::family(pid));
            let last = before.insert(instance.clone(), (pid, cpu));
            // A new process begins at nothing, and a child that ended takes its time with it.
            let cpu_us = match last {
                Some((last_pid, last_cpu)) if last_pid == pid => cpu.saturating_sub(last_cpu),
                _ => cpu,
            };
            recorder.record(Fact::Usage(Usage {
                instance,
                cpu_us,
                rss_kib,
                fds,
            }));
        }
        // What a killed service leaves behind becomes this process's child, and would stay in the machine's list.
        gate::look(processes::reap_all);
        look_at_machine(&mut machine, &recorder);
        for (instance, postgres) in world.clusters() {
            let look = timeout(EVERY, database(instance, &postgres.direct_url())).await;
            let look = look.ok().flatten();
            // An outage is no failure of the run's; where figures are missing, the journal says why.
            let was_silent = silent.insert(instance.clone(), look.is_none()).unwrap_or(true);
            match look {
                Some(look) => {
                    let (instance, open) = (look.instance.clone(), look.open);
                    recorder.record(Fact::Connections { instance, open });
                    recorder.record(Fact::Database(look));
                }
                None if !was_silent => {
                    let text = format!("{instance} could not be asked for its figures from here on");
                    let kind = NoteKind::Aside;
                    recorder.record(Fact::Note { kind, text });
                }
                None => {}
            }
        }
    }
}

/// Records what the processors did since the last look.
fn look_at_machine(last: &mut Option<(u64, u64, u64)>, recorder: &Recorder) {
    let Some((busy, idle)) = processes::machine() else {
        return;
    };
    let (own, ..) = processes::usage(&[std::process::id()]);
    let now = (busy, idle, own);
    if let Some(before) = last.replace(now) {
        recorder.record(Fact::Machine(MachineLook {
            busy_us: busy.saturating_sub(before.0),
            idle_us: idle.saturating_sub(before.1),
            own_us: own.saturating_sub(before.2),
        }));
    }
}

/// What a database does and has done, this look left out of its connections; `None` when it can't be asked.
async fn database(instance: &Instance, url: &str) -> Option<DatabaseLook> {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.ok()?;
    let driver = tokio::spawn(connection);
    let row = client.query_one(QUERY, &[]).await.ok();
    driver.abort();
    let row = row?;
    let count = |column: usize| row.try_get::<_, i64>(column).ok();
    let small = |column: usize| u32::try_from(count(column)?).ok();
    let active: Option<f64> = row.try_get(4).ok().flatten();
    Some(DatabaseLook {
        instance: instance.clone(),
        open: small(0)?,
        busy: small(1)?,
        limit: small(2)?,
        commits: u64::try_from(count(3)?).ok()?,
        // Milliseconds, with digits behind the point.
        active_us: active.map(|ms| (ms * 1e3) as u64),
    })
}
