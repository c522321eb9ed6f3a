//! The external API that `webhook` tasks call. It says yes to everything.

use std::net::SocketAddr;

use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::shutdown::Shutdown;

/// Serves until asked to stop; open calls are not waited for.
pub async fn run(listen: SocketAddr, shutdown: Shutdown) -> std::io::Result<()> {
    let router = Router::new().route("/hook", post(accept)).route("/health", get(accept));
    let listener = TcpListener::bind(listen).await?;
    tracing::info!(address = %listener.local_addr()?, "partner listens");
    tokio::select! {
        outcome = async { axum::serve(listener, router).await } => outcome,
        () = shutdown.wait() => Ok(()),
    }
}

async fn accept() -> Json<Value> {
    Json(json!({ "ok": true }))
}
