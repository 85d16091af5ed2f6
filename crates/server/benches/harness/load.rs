//! Clients that each do one piece of work after the other for a while.

use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::ensure;
use tokio::task::JoinSet;

use super::Sample;

/// Lets every client work until the time is over, and finish what it has begun. Each works in a task of its own; `work`
/// does one piece and gives the client back.
///
/// The sample has pieces per second and the percentiles of how long one took, in milliseconds; beside it, the number
/// of pieces.
///
/// # Errors
/// The first that `work` answers.
pub(crate) async fn for_a_while<C, W>(
    clients: &mut Vec<C>,
    lasting: Duration,
    work: impl Fn(C) -> W + Clone + Send + 'static,
) -> anyhow::Result<(Sample, usize)>
where
    C: Send + 'static,
    W: Future<Output = anyhow::Result<C>> + Send,
{
    let start = Instant::now();
    let mut working = JoinSet::new();
    for mut client in clients.drain(..) {
        let work = work.clone();
        working.spawn(async move {
            let mut took_ms = Vec::new();
            while start.elapsed() < lasting {
                let begun = Instant::now();
                client = work(client).await?;
                took_ms.push(begun.elapsed().as_secs_f64() * 1e3);
            }
            anyhow::Ok((client, took_ms))
        });
    }
    let mut all_ms = Vec::new();
    while let Some(worked) = working.join_next().await {
        let (client, took_ms) = worked??;
        clients.push(client);
        all_ms.extend(took_ms);
    }
    let seconds = start.elapsed().as_secs_f64();
    ensure!(!all_ms.is_empty(), "no client finished anything");
    all_ms.sort_by(f64::total_cmp);
    let pieces = all_ms.len();
    let rate = count(pieces) / seconds;
    Ok((Sample { rate, also: vec![("p50_ms", at(&all_ms, 50)), ("p99_ms", at(&all_ms, 99))] }, pieces))
}

/// The value below which so many of a hundred lie.
fn at(sorted: &[f64], percent: usize) -> f64 {
    let index = sorted.len().saturating_mul(percent) / 100;
    sorted.get(index).or(sorted.last()).copied().unwrap_or_default()
}

/// Exact for whatever fits into a benchmark.
fn count(pieces: usize) -> f64 {
    f64::from(u32::try_from(pieces).unwrap_or(u32::MAX))
}
