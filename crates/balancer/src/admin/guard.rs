//! Who may use the admin API: where others than this machine can reach it, whoever has the token.

use std::io;
use std::path::Path;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::{NOTHING, problem};

/// A token has at least so many characters.
const SHORTEST: usize = 16;

/// What is asked for, as a digest: comparing digests tells nobody how much of a guess was right.
pub struct Token([u8; 32]);

impl Token {
    /// Of a file's one line.
    ///
    /// # Errors
    /// The file cannot be read, or its token is shorter than 16 characters.
    pub fn read(path: &Path) -> io::Result<Self> {
        let text = std::fs::read_to_string(path)?;
        let token = text.trim();
        if token.len() < SHORTEST {
            let why = format!("a token must have at least {SHORTEST} characters");
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        Ok(Self::of(token.as_bytes()))
    }

    fn of(token: &[u8]) -> Self {
        Self(Sha256::digest(token).into())
    }

    fn admits(&self, request: &Request) -> bool {
        // Whoever watches over the process needs no secret to see that it lives.
        if request.uri().path().starts_with("/health/") {
            return true;
        }
        let given = request.headers().get(AUTHORIZATION).map(|value| value.as_bytes());
        let given = given.and_then(|value| value.strip_prefix(b"Bearer "));
        given.is_some_and(|given| Self::of(given).0 == self.0)
    }
}

/// Lets through who has the token.
pub async fn check(State(token): State<Arc<Token>>, request: Request, next: Next) -> Response {
    if token.admits(&request) {
        return next.run(request).await;
    }
    let error = "the admin API's token is needed: Authorization: Bearer <token>";
    let answer = problem(StatusCode::UNAUTHORIZED, error, NOTHING);
    ([(WWW_AUTHENTICATE, "Bearer")], answer).into_response()
}
