//! The two sockets, and whether something answers behind them.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const POLL: Duration = Duration::from_millis(10);
const PATIENCE: Duration = Duration::from_secs(30);

/// Takes the port. `flag` is named to whoever must choose another.
pub(super) fn bind(address: SocketAddr, flag: &str) -> anyhow::Result<TcpListener> {
    match TcpListener::bind(address) {
        Ok(listener) => Ok(listener),
        Err(error) if error.kind() == ErrorKind::AddrInUse => bail!(
            "port {port} of {ip} is taken by another program. Stop that one, or choose another port: {flag} {ip}:PORT",
            port = address.port(),
            ip = shown_ip(address),
        ),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            bail!(
                "this user may not listen on {address}. Choose a port from 1024 up: {flag} {}:PORT",
                shown_ip(address)
            )
        }
        Err(error) => Err(error).with_context(|| format!("cannot listen on {address} (choose another: {flag})")),
    }
}

fn shown_ip(address: SocketAddr) -> String {
    if address.is_ipv6() { format!("[{}]", address.ip()) } else { address.ip().to_string() }
}

/// Waits until the server is ready: the private listener says so, and the public one answers at all.
pub(super) async fn answering(public: SocketAddr, private: SocketAddr) -> anyhow::Result<()> {
    let both = async {
        until(private, "/readyz", |status| status == "200").await;
        until(public, "/", |_| true).await;
    };
    tokio::time::timeout(PATIENCE, both).await.context("the listeners do not answer")
}

async fn until(address: SocketAddr, path: &str, good: impl Fn(&str) -> bool) {
    let address = reachable(address);
    loop {
        if let Ok(status) = status(address, path).await
            && good(&status)
        {
            return;
        }
        tokio::time::sleep(POLL).await;
    }
}

/// The three digits of the answer to a GET.
async fn status(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut line = [0; "HTTP/1.1 200".len()];
    stream.read_exact(&mut line).await?;
    Ok(String::from_utf8_lossy(&line).trim_start_matches("HTTP/1.1 ").to_owned())
}

/// Where to reach a listener: one on all addresses, by the loopback.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        SocketAddr::V4(_) | SocketAddr::V6(_) => {}
    }
    address
}
