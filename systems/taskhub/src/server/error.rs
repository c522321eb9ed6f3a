//! Errors as clients see them: `{"error":{"code":"…","message":"…"}}`, always.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::db::DbError;

/// An answer that is not a success.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl ApiError {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
        }
    }

    /// 401: no token, or one that is unknown or over.
    pub fn unauthorized(message: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
    }

    /// 404: not there, or not the caller's.
    pub fn not_found(message: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    /// 405: the path exists, the method doesn't.
    pub fn method_not_allowed() -> Self {
        let message = "this path does not answer that method";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
    }

    /// 409: the state of things does not allow it.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", message)
    }

    /// 413: the body is too large.
    pub fn too_large() -> Self {
        let message = "the body is larger than 64 KiB";
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", message)
    }

    /// 422: a field has an unusable value.
    pub fn invalid(field: &str, expected: &str) -> Self {
        let message = format!("{field}: {expected}");
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", message)
    }

    /// 503: the database is away.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "database_unavailable", message)
    }

    /// 500: a defect of this service; the details are for the log alone.
    pub fn internal(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "internal error");
        let message = "something went wrong here";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
    }
}

impl From<DbError> for ApiError {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Unavailable(_) | DbError::TimedOut(_) => Self::unavailable("the database is not available"),
            DbError::Busy(_) => {
                let message = "all database connections are in use";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", message)
            }
            // The server's own statement_timeout: late is late, whoever noticed.
            DbError::Refused(sqlx::Error::Database(error)) if error.code().as_deref() == Some("57014") => {
                Self::unavailable("the database did not answer in time")
            }
            DbError::Refused(error) => Self::internal(&error),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let error = json!({ "code": self.code, "message": self.message });
        (self.status, Json(json!({ "error": error }))).into_response()
    }
}
