//! Being asked to stop: Ctrl-C, SIGTERM, or the terminal going away.

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Known to every clone once the process was asked to stop.
#[derive(Clone, Debug)]
pub(super) struct Shutdown(watch::Receiver<bool>);

impl Shutdown {
    /// Takes over the signals.
    pub(super) fn listen() -> anyhow::Result<Self> {
        let take = |kind| signal(kind).context("cannot listen for signals");
        let mut interrupt = take(SignalKind::interrupt())?;
        let mut terminate = take(SignalKind::terminate())?;
        let mut hangup = take(SignalKind::hangup())?;
        let (asked, shutdown) = watch::channel(false);
        tokio::spawn(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
            tracing::info!(event = "server.stopping");
            asked.send_replace(true);
        });
        Ok(Self(shutdown))
    }

    /// Resolves once the process was asked to stop.
    pub(super) async fn requested(mut self) {
        let _sender_gone = self.0.wait_for(|asked| *asked).await;
    }
}
