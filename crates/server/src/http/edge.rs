//! Who we are to the outside, and what follows from it: which requests are for us, and what every answer carries.

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, header};

use super::problem::{Code, Problem};
use crate::authn::cookie::CookieStyle;
use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::networks::Networks;

const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
const PERMISSIONS_POLICY: &str = "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), \
     magnetometer=(), microphone=(), midi=(), payment=(), usb=()";

/// The `Host` headers that a listener answers to, lower case, with the port where it is not the scheme's.
#[derive(Clone, Debug)]
pub struct Hosts(Arc<[String]>);

impl Hosts {
    /// Exactly these.
    #[must_use]
    pub fn of(hosts: impl IntoIterator<Item = String>) -> Self {
        Self(hosts.into_iter().map(|host| host.to_ascii_lowercase()).collect())
    }

    fn knows(&self, host: &str) -> bool {
        self.0.iter().any(|known| known.eq_ignore_ascii_case(host))
    }
}

/// What a listener is to the world.
#[derive(Clone, Debug)]
pub struct Edge {
    /// Where the time comes from.
    pub clock: Clock,
    /// Where ids come from.
    pub entropy: Entropy,
    /// Who we are called.
    pub hosts: Hosts,
    /// What cookies look like; secure behind https.
    pub cookies: CookieStyle,
    /// Whose word is taken for where a request comes from.
    pub proxies: Networks,
    /// Whether browsers come here with a session's cookie, which pages of others must not make use of.
    pub for_browsers: bool,
}

impl Edge {
    /// Whether a request is for us, and not one that a page of somebody else's made a browser send.
    pub(super) fn admit<B>(&self, request: &Request<B>) -> Result<(), Problem> {
        let host = host_of(request).filter(|host| self.hosts.knows(host));
        let host = host.ok_or_else(|| Problem::new(Code::MisdirectedRequest))?;
        // Elsewhere no cookie counts, and a forwarded request carries the headers of somebody else's.
        if !self.for_browsers || matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
            return Ok(());
        }
        let scheme = if self.cookies.secure { "https" } else { "http" };
        // Programs send neither header, and no cookie; every browser that is kept up sends one of them.
        let own = format!("{scheme}://{host}");
        let foreign_origin =
            request.headers().get_all(header::ORIGIN).iter().any(|origin| origin.as_bytes() != own.as_bytes());
        let sites = request.headers().get_all("sec-fetch-site");
        let foreign_site = sites.iter().any(|site| !matches!(site.as_bytes(), b"same-origin" | b"none"));
        let headers = request.headers();
        let untold = !headers.contains_key(header::ORIGIN) && !headers.contains_key("sec-fetch-site");
        let with_cookie_from_nowhere = untold && headers.contains_key(header::COOKIE);
        if foreign_origin || foreign_site || with_cookie_from_nowhere {
            return Err(Problem::new(Code::CrossOrigin));
        }
        Ok(())
    }

    /// The headers by which a browser keeps an answer from being misused.
    pub(super) fn protect(&self, headers: &mut HeaderMap) {
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if !self.for_browsers {
            return;
        }
        for (name, value) in [
            (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
            (HeaderName::from_static("permissions-policy"), PERMISSIONS_POLICY),
            (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
            (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        // Not `no-referrer`: under that, a form's own POST would carry `Origin: null`. A page without a form may say so.
        headers.entry(header::REFERRER_POLICY).or_insert(HeaderValue::from_static("same-origin"));
        if self.cookies.secure {
            let hsts = HeaderValue::from_static("max-age=63072000; includeSubDomains; preload");
            headers.insert(header::STRICT_TRANSPORT_SECURITY, hsts);
        }
    }
}

/// The one Host that a request names: the authority of HTTP/2, or the header of HTTP/1.1.
fn host_of<B>(request: &Request<B>) -> Option<&str> {
    if let Some(authority) = request.uri().authority() {
        return Some(authority.as_str());
    }
    let mut sent = request.headers().get_all(header::HOST).iter();
    match (sent.next(), sent.next()) {
        (Some(host), None) => host.to_str().ok(),
        _ => None,
    }
}
