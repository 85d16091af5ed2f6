//! `bailiwickd serve`: production.

use std::time::Duration;

use anyhow::Context;
use bailiwick_server::app::{App, Parts};
use bailiwick_server::boot;
use bailiwick_server::clock::Clock;
use bailiwick_server::config::{Config, Draft, Mode, Settings};
use bailiwick_server::entropy::Entropy;
use bailiwick_server::mail::{Delivery, Mailer};
use bailiwick_server::telemetry;

use super::listener::bind;
use super::shutdown::Shutdown;

/// For mail that waits when everything else has ended.
pub(super) const MAIL_DRAIN: Duration = Duration::from_secs(5);

/// Serves until it is asked to stop, or lists all faults.
pub(super) async fn run(settings: Settings) -> anyhow::Result<()> {
    telemetry::install(Draft::parse(&settings, Mode::Serve, &mut Vec::new()).log())?;
    let config = boot::check_serve(&settings).await?;
    let shutdown = Shutdown::listen()?;
    let public = bind(config.listen, "--listen")?;
    let private = bind(config.private_listen, "--private-listen")?;
    let (app, delivery) = build(&config).await?;
    tracing::info!(event = "server.started", listen = %config.listen, private_listen = %config.private_listen);
    let served = app.serve(public, private, shutdown.requested()).await;
    delivery.drain(MAIL_DRAIN).await;
    served.context("a listener failed")
}

/// The application with the system's clock and randomness, and the task that delivers its mail.
pub(super) async fn build(config: &Config) -> anyhow::Result<(App, Delivery)> {
    let (clock, entropy) = (Clock::system(), Entropy::system());
    let (mailer, delivery) = Mailer::start(&config.mail, clock.clone())?;
    let metrics = telemetry::install_metrics().context("cannot count")?;
    let parts = Parts { mailer, clock, entropy, metrics };
    let app = App::build(config, parts).await.context("cannot put the server together")?;
    Ok((app, delivery))
}
