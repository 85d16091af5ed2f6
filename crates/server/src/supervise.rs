//! What must not end for as long as the server runs.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;

const PAUSE: Duration = Duration::from_secs(1);

/// Does `work` until it ends by itself. After a panic, of which the hook has logged the place, it begins anew.
pub async fn supervise<F: Future<Output = ()>>(task: &'static str, work: impl Fn() -> F) {
    while AssertUnwindSafe(work()).catch_unwind().await.is_err() {
        metrics::counter!("bailiwick_task_panics_total", "task" => task).increment(1);
        tracing::error!(event = "task_begins_anew", task);
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_panics_begins_anew() {
        let times = AtomicUsize::new(0);
        supervise("test", || async {
            assert!(times.fetch_add(1, Ordering::Relaxed) >= 2, "the first two times");
        })
        .await;
        assert_eq!(times.into_inner(), 3);
    }
}
