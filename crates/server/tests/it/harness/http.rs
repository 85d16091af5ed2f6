//! The tests' HTTP client. It trusts nobody, because all servers of tests speak plainly on loopback; reading the machine's root
//! certificates would cost each test a tenth of a second.

use reqwest::{Client, ClientBuilder};

/// A client as most tests want it.
pub fn http() -> Client {
    http_builder().build().unwrap()
}

/// The same, to be adjusted.
pub fn http_builder() -> ClientBuilder {
    Client::builder().tls_certs_only([])
}
