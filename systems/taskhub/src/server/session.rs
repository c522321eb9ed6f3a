//! Who is logged in. Tokens are random; only their SHA-256 is kept.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::bug::Bug;
use crate::db::{Db, DbError};
use crate::settings::Settings;

/// A user as the API shows it.
#[derive(Clone, Debug, Serialize, sqlx::FromRow)]
pub struct Account {
    /// Identity.
    pub user_id: Uuid,
    /// The name to log in with.
    pub username: String,
    /// Where to reach them.
    pub email: String,
}

/// A fresh login.
#[derive(Debug, Serialize)]
pub struct Login {
    /// To be sent as `Authorization: Bearer …`.
    pub token: String,
    /// Whose it is.
    pub user_id: Uuid,
    /// When it is over.
    pub expires_at: DateTime<Utc>,
}

/// All logins.
pub struct Sessions {
    db: Db,
    length: Duration,
    /// Only a planted defect keeps logins here instead of in the database.
    local: Option<Mutex<HashMap<Vec<u8>, Account>>>,
}

impl Sessions {
    /// Sessions of the configured length.
    pub fn new(db: Db, settings: &Settings) -> Self {
        let local = settings.has(Bug::SessionsInMemory).then(Mutex::default);
        Self {
            db,
            length: settings.server.session,
            local,
        }
    }

    /// Logs a user in.
    pub async fn open(&self, account: &Account) -> Result<Login, DbError> {
        let token = new_token();
        let expires_at = Utc::now() + self.length;
        if let Some(local) = &self.local {
            let mut local = local.lock().unwrap_or_else(PoisonError::into_inner);
            local.insert(digest(&token), account.clone());
        } else {
            let sql = "INSERT INTO sessions (token_hash, user_id, expires_at) VALUES ($1, $2, $3)";
            let query = sqlx::query(sql).bind(digest(&token)).bind(account.user_id);
            self.db.execute(query.bind(expires_at)).await?;
        }
        Ok(Login {
            token,
            user_id: account.user_id,
            expires_at,
        })
    }

    /// Whose token this is, if it is good.
    pub async fn find(&self, token: &str) -> Result<Option<Account>, DbError> {
        if let Some(local) = &self.local {
            let local = local.lock().unwrap_or_else(PoisonError::into_inner);
            return Ok(local.get(&digest(token)).cloned());
        }
        let sql = "SELECT user_id, username, email FROM sessions JOIN users USING (user_id)
                   WHERE token_hash = $1 AND expires_at > now()";
        self.db.fetch_optional(sqlx::query_as(sql).bind(digest(token))).await
    }

    /// Ends a login.
    pub async fn close(&self, token: &str) -> Result<(), DbError> {
        if let Some(local) = &self.local {
            let mut local = local.lock().unwrap_or_else(PoisonError::into_inner);
            local.remove(&digest(token));
            return Ok(());
        }
        let query = sqlx::query("DELETE FROM sessions WHERE token_hash = $1").bind(digest(token));
        self.db.execute(query).await.map(drop)
    }
}

/// 256 random bits in hexadecimal.
fn new_token() -> String {
    let bits: [u8; 32] = rand::random();
    bits.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn digest(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}
