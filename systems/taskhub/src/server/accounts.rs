//! `/auth/…`: registering, logging in and out.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::App;
use super::error::ApiError;
use super::input::{Body, Caller};
use super::password;
use super::session::{Account, Login};

/// Body of `POST /auth/register`.
#[derive(Deserialize)]
pub struct Registration {
    username: String,
    email: String,
    password: String,
}

impl Registration {
    fn check(&self) -> Result<(), ApiError> {
        let name_char = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        if !(3..=64).contains(&self.username.len()) || !self.username.chars().all(name_char) {
            return Err(ApiError::invalid("username", "3 to 64 of a-z A-Z 0-9 _ - ."));
        }
        let parts = self.email.split_once('@');
        let plausible = parts.is_some_and(|(user, host)| !user.is_empty() && !host.is_empty());
        if !plausible || self.email.len() > 254 || self.email.contains(char::is_whitespace) {
            return Err(ApiError::invalid("email", "an address such as name@example.org"));
        }
        if !(8..=128).contains(&self.password.len()) {
            return Err(ApiError::invalid("password", "8 to 128 bytes"));
        }
        Ok(())
    }
}

/// Body of `POST /auth/login`.
#[derive(Deserialize)]
pub struct Credentials {
    username: String,
    password: String,
}

/// `POST /auth/register`
pub async fn register(
    State(app): State<Arc<App>>,
    Body(registration): Body<Registration>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    registration.check()?;
    let Registration {
        username,
        email,
        password,
    } = registration;
    let sql = "INSERT INTO users (user_id, username, email, password_hash)
               VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
    let user_id = Uuid::new_v4();
    let hash = password::hash(password).await?;
    let query = sqlx::query(sql)
        .bind(user_id)
        .bind(username.clone())
        .bind(email)
        .bind(hash);
    if app.db.execute(query).await? == 0 {
        return Err(ApiError::conflict("the username or email is taken"));
    }
    Ok((
        StatusCode::CREATED,
        Json(json!({ "user_id": user_id, "username": username })),
    ))
}

/// `POST /auth/login`
pub async fn login(State(app): State<Arc<App>>, Body(credentials): Body<Credentials>) -> Result<Json<Login>, ApiError> {
    #[derive(sqlx::FromRow)]
    struct Row {
        #[sqlx(flatten)]
        account: Account,
        password_hash: String,
    }
    let sql = "SELECT user_id, username, email, password_hash FROM users WHERE username = $1";
    let query = sqlx::query_as::<_, Row>(sql).bind(credentials.username);
    let row = app.db.fetch_optional(query).await?;
    let stored = row.as_ref().map(|row| row.password_hash.clone());
    let fits = password::verify(credentials.password, stored).await?;
    match row.filter(|_| fits) {
        Some(row) => Ok(Json(app.sessions.open(&row.account).await?)),
        None => Err(ApiError::unauthorized("wrong username or password")),
    }
}

/// `GET /auth/me`
pub async fn me(caller: Caller) -> Json<Account> {
    Json(caller.account)
}

/// `POST /auth/refresh`: a new token; the old one ends.
pub async fn refresh(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<Login>, ApiError> {
    let login = app.sessions.open(&caller.account).await?;
    app.sessions.close(&caller.token).await?;
    Ok(Json(login))
}

/// `POST /auth/logout`
pub async fn logout(State(app): State<Arc<App>>, caller: Caller) -> Result<StatusCode, ApiError> {
    app.sessions.close(&caller.token).await?;
    Ok(StatusCode::NO_CONTENT)
}
