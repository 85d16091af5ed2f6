//! The tests' HTTP client. It trusts nobody, because all servers of tests speak plainly on loopback; reading the machine's root
//! certificates would cost each test a tenth of a second.

use std::time::Duration;

use reqwest::{Client, ClientBuilder};

/// A client as most tests want it.
pub fn http() -> Client {
    http_builder().build().unwrap()
}

/// The same, to be adjusted.
pub fn http_builder() -> ClientBuilder {
    // Sooner than the server closes what is idle: a request that meets that is nobody's fault.
    Client::builder().tls_certs_only([]).pool_idle_timeout(Duration::from_secs(4))
}
