//! `bailiwickd serve`: production.

use anyhow::Context;
use bailiwick_server::app::{App, Parts};
use bailiwick_server::boot;
use bailiwick_server::clock::Clock;
use bailiwick_server::config::{Config, Draft, Mode, Settings};
use bailiwick_server::entropy::Entropy;
use bailiwick_server::mail::Mailer;
use bailiwick_server::telemetry;

use super::hardening::Hardened;
use super::listener::bind;
use super::shutdown::Shutdown;

/// Serves until it is asked to stop, or lists all faults.
pub(super) async fn run(settings: Settings, hardened: Hardened) -> anyhow::Result<()> {
    telemetry::install(Draft::parse(&settings, Mode::Serve, &mut Vec::new()).log())?;
    hardened.report();
    let config = boot::check_serve(&settings).await?;
    let shutdown = Shutdown::listen()?;
    let public = bind(config.listen, "--listen")?;
    let private = bind(config.private_listen, "--private-listen")?;
    let app = build(&config).await?;
    tracing::info!(event = "server.started", listen = %config.listen, private_listen = %config.private_listen);
    let served = app.serve(public, private, shutdown.requested()).await;
    served.context("a listener failed")
}

/// The application with the system's clock and randomness.
pub(super) async fn build(config: &Config) -> anyhow::Result<App> {
    let (clock, entropy) = (Clock::system(), Entropy::system());
    let mailer = Mailer::new(&config.mail, clock.clone())?;
    let metrics = telemetry::install_metrics().context("cannot count")?;
    let parts = Parts { mailer, clock, entropy, metrics };
    App::build(config, parts).await.context("cannot put the server together")
}
