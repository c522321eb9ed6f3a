//! Passwords: argon2id, hashed off the request threads.

use std::sync::LazyLock;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};

use super::error::ApiError;

/// 8 MiB and one pass: enough to hurt a guesser, little enough for a small host.
static ARGON2: LazyLock<Argon2<'static>> = LazyLock::new(|| {
    let params = Params::new(8 * 1024, 1, 1, None).unwrap_or_default();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
});

/// Compared against when the user does not exist, so that the time an answer
/// takes does not tell which names do.
static NOBODY: LazyLock<String> = LazyLock::new(|| compute("nobody").unwrap_or_default());

/// The string to store for a password.
pub async fn hash(password: String) -> Result<String, ApiError> {
    let hashed = tokio::task::spawn_blocking(move || compute(&password)).await;
    hashed
        .map_err(|e| ApiError::internal(&e))?
        .map_err(|e| ApiError::internal(&e))
}

/// Whether the password fits the stored string; never, if there is none.
pub async fn verify(password: String, stored: Option<String>) -> Result<bool, ApiError> {
    let verdict = tokio::task::spawn_blocking(move || {
        let text = stored.as_deref().unwrap_or(NOBODY.as_str());
        let fits = PasswordHash::new(text).is_ok_and(|hash| ARGON2.verify_password(password.as_bytes(), &hash).is_ok());
        fits && stored.is_some()
    });
    verdict.await.map_err(|error| ApiError::internal(&error))
}

fn compute(password: &str) -> Result<String, argon2::password_hash::Error> {
    ARGON2.hash_password(password.as_bytes()).map(|hash| hash.to_string())
}
