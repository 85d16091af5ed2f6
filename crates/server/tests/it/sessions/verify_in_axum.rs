use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use tokio::sync::Mutex;

/// What a service token says.
#[derive(Clone, serde::Deserialize)]
pub struct Session {
    pub sub: String,
    pub workspace_id: Option<String>,
    pub role: Option<String>,
}

/// The published keys, kept for 30 seconds, and what a token has to say.
#[derive(Clone)]
pub struct Keys {
    url: String,
    rules: Validation,
    kept: Arc<Mutex<Option<(Instant, JwkSet)>>>,
}

impl Keys {
    pub fn of(issuer: &str, audience: &str) -> Self {
        let mut rules = Validation::new(Algorithm::ES256);
        rules.set_issuer(&[issuer]);
        rules.set_audience(&[audience]);
        rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        Self { url: format!("{issuer}/.well-known/jwks.json"), rules, kept: Arc::default() }
    }

    async fn verify(&self, token: &str) -> Option<Session> {
        let header = decode_header(token).ok()?;
        if header.typ.as_deref() != Some("bailiwick-service+jwt") {
            return None;
        }
        let mut kept = self.kept.lock().await;
        if kept.as_ref().is_none_or(|(since, _)| since.elapsed() > Duration::from_secs(30)) {
            *kept = Some((Instant::now(), reqwest::get(&self.url).await.ok()?.json().await.ok()?));
        }
        let key = kept.as_ref()?.1.find(&header.kid?)?;
        Some(decode::<Session>(token, &DecodingKey::from_jwk(key).ok()?, &self.rules).ok()?.claims)
    }
}

/// The middleware: `Router::new().layer(from_fn_with_state(Keys::of(issuer, "billing"), session))`.
pub async fn session(State(keys): State<Keys>, mut request: Request, next: Next) -> Result<Response, StatusCode> {
    let sent = request.headers().get(header::AUTHORIZATION).and_then(|sent| sent.to_str().ok());
    let token = sent.and_then(|sent| sent.strip_prefix("Bearer ")).ok_or(StatusCode::UNAUTHORIZED)?;
    let session = keys.verify(token).await.ok_or(StatusCode::UNAUTHORIZED)?;
    request.extensions_mut().insert(session);
    Ok(next.run(request).await)
}
