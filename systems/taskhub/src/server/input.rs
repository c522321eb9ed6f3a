//! Reading what clients send, with refusals in the API's own form.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::App;
use super::error::ApiError;
use super::session::Account;

/// A JSON body.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, ApiError> {
        let bytes = Bytes::from_request(request, app)
            .await
            .map_err(|_| ApiError::too_large())?;
        let parsed = serde_json::from_slice(&bytes);
        parsed
            .map(Self)
            .map_err(|error| ApiError::invalid("body", &error.to_string()))
    }
}

/// The query string.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<Arc<App>> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, ApiError> {
        let query = axum::extract::Query::try_from_uri(&parts.uri);
        query
            .map(|query| Self(query.0))
            .map_err(|e| ApiError::invalid("query", &e.body_text()))
    }
}

/// The id in the path.
pub struct Id(pub Uuid);

impl FromRequestParts<Arc<App>> for Id {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let path = Path::<Uuid>::from_request_parts(parts, app).await;
        path.map(|Path(id)| Self(id))
            .map_err(|_| ApiError::invalid("id", "must be a UUID"))
    }
}

/// The caller, proven by a bearer token.
pub struct Caller {
    /// Who it is.
    pub account: Account,
    /// The token that proves it.
    pub token: String,
}

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = header.and_then(|text| text.strip_prefix("Bearer "));
        let token = token.ok_or_else(|| ApiError::unauthorized("a bearer token is needed"))?;
        match app.sessions.find(token).await? {
            Some(account) => Ok(Self {
                account,
                token: token.to_owned(),
            }),
            None => Err(ApiError::unauthorized("the token is unknown or over")),
        }
    }
}
