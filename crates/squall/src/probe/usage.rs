//! What the instances use of the machine, and how many clients the databases have.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use squall_core::event::{Fact, Usage};
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::processes;
use crate::store::Recorder;
use crate::world::process::ProcessWorld;

/// Between two looks.
const EVERY: Duration = Duration::from_millis(500);

/// Looks until it is aborted.
pub async fn usages(world: Arc<ProcessWorld>, recorder: Recorder) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before = HashMap::new();
    loop {
        ticks.tick().await;
        for instance in world.instances() {
            let Some(pid) = world.pid(&instance) else { continue };
            let (cpu, rss_kib, fds) = processes::usage(&processes::tree(pid));
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
        for (instance, postgres) in world.clusters() {
            if let Ok(Some(open)) = timeout(EVERY, connections(&postgres.direct_url())).await {
                recorder.record(Fact::Connections {
                    instance: instance.clone(),
                    open,
                });
            }
        }
    }
}

/// Client connections open, without this one; `None` when it can't be asked.
async fn connections(url: &str) -> Option<u32> {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.ok()?;
    let driver = tokio::spawn(connection);
    let query =
        "select count(*) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()";
    let counted = client
        .query_one(query, &[])
        .await
        .ok()
        .and_then(|row| row.try_get::<_, i64>(0).ok());
    driver.abort();
    counted.and_then(|count| u32::try_from(count).ok())
}
