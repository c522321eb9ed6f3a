//! The schema, brought up to date by whoever comes first.

use sqlx::Connection as _;
use sqlx::postgres::PgConnection;

/// All steps, oldest first. Released steps never change; new ones are added below.
const MIGRATIONS: &[&str] = &[include_str!("../../migrations/0001_init.sql")];

/// Any number works, as long as every process uses the same.
const LOCK: i64 = 0x7461_736b_6875_6201;

/// Brings the schema up to date. Costs one query if it already is.
pub async fn ensure(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    if version(connection).await? >= latest() {
        return Ok(());
    }
    let mut transaction = connection.begin().await?;
    // Waiting for another process that migrates is not a slow statement.
    sqlx::raw_sql("SET LOCAL statement_timeout = 0")
        .execute(&mut *transaction)
        .await?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)")
        .bind(LOCK)
        .execute(&mut *transaction)
        .await?;
    sqlx::raw_sql("CREATE TABLE IF NOT EXISTS schema_version (version integer PRIMARY KEY)")
        .execute(&mut *transaction)
        .await?;
    let mut applied = version(&mut transaction).await?;
    for step in MIGRATIONS.iter().skip(usize::try_from(applied).unwrap_or(0)) {
        applied += 1;
        sqlx::raw_sql(*step).execute(&mut *transaction).await?;
        sqlx::query("INSERT INTO schema_version VALUES ($1)")
            .bind(applied)
            .execute(&mut *transaction)
            .await?;
        tracing::info!(version = applied, "schema migrated");
    }
    transaction.commit().await
}

fn latest() -> i32 {
    i32::try_from(MIGRATIONS.len()).unwrap_or(i32::MAX)
}

/// The number of steps applied; an empty database has none.
async fn version(connection: &mut PgConnection) -> Result<i32, sqlx::Error> {
    let query = sqlx::query_scalar("SELECT coalesce(max(version), 0) FROM schema_version");
    match query.fetch_one(connection).await {
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("42P01") => Ok(0),
        outcome => outcome,
    }
}
