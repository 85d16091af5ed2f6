//! What should never be: sealed bytes that do not open where they stand, rows that nobody vouches for.
//!
//! Whoever finds one raises it here and goes on refusing; the feature `alerts` writes it down and leaves an entry. Raising
//! waits for nothing and cannot fail, for it happens on the way of a request.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use uuid::Uuid;

/// The same finding is raised again so long after, not before.
const QUIET: Duration = Duration::from_secs(600);
/// So many of one kind are kept and remembered; of more, that there were more. So whoever raises thousands of one kind
/// does not hide the one of another.
const KEPT_OF_A_KIND: usize = 2048;
/// So many of all kinds.
const KEPT: usize = 8 * KEPT_OF_A_KIND;
/// There were more of a kind than are kept.
const MORE: &str = "more_of_a_kind";

/// Something that should not be.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Alert {
    /// What is wrong, a word: `does_not_open`, `row_unvouched`.
    pub what: &'static str,
    /// Of what: a label of the registry, or a table.
    pub of: &'static str,
    /// Whose; nil for the cell.
    pub workspace: Uuid,
    /// Which row, in words that hold no secret.
    pub row: String,
}

/// The findings of this process. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Alerts(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    waiting: Mutex<Waiting>,
    raised: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    alerts: Vec<Alert>,
    raised_at: HashMap<Alert, Instant>,
}

impl Alerts {
    /// Counts and logs a finding, and keeps it for whoever writes it down.
    pub fn raise(&self, alert: Alert) {
        metrics::counter!("bailiwick_alerts_total", "what" => alert.what, "of" => alert.of).increment(1);
        let now = Instant::now();
        let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = |waiting: &Waiting, alert: &Alert| {
            waiting.raised_at.get(alert).is_none_or(|at| now.duration_since(*at) >= QUIET)
        };
        let mut alert = alert;
        if is_new(&waiting, &alert) && waiting.is_full_of(alert.what) {
            waiting.raised_at.retain(|_, at| now.duration_since(*at) < QUIET);
            if waiting.is_full_of(alert.what) {
                alert = Alert { what: MORE, of: alert.what, workspace: Uuid::nil(), row: String::new() };
            }
        }
        if !is_new(&waiting, &alert) || waiting.alerts.len() >= KEPT || waiting.raised_at.len() >= KEPT {
            return;
        }
        tracing::error!(event = "alert", what = alert.what, of = alert.of, workspace_id = %alert.workspace, row = alert.row);
        waiting.raised_at.insert(alert.clone(), now);
        waiting.alerts.push(alert);
        drop(waiting);
        self.0.raised.notify_one();
    }

    /// Waits for findings and takes all that there are.
    pub async fn take(&self) -> Vec<Alert> {
        loop {
            let alerts = std::mem::take(&mut self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner).alerts);
            if !alerts.is_empty() {
                return alerts;
            }
            self.0.raised.notified().await;
        }
    }

    /// Gives back what could not be written down, to be taken again.
    pub fn give_back(&self, alerts: Vec<Alert>) {
        let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let room = KEPT.saturating_sub(waiting.alerts.len());
        waiting.alerts.extend(alerts.into_iter().take(room));
        drop(waiting);
        self.0.raised.notify_one();
    }
}

impl Waiting {
    fn is_full_of(&self, what: &str) -> bool {
        self.raised_at.len() >= KEPT_OF_A_KIND
            && self.raised_at.keys().filter(|alert| alert.what == what).count() >= KEPT_OF_A_KIND
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn thousands_of_one_kind_do_not_hide_the_one_of_another() {
        let alerts = Alerts::default();
        let of = |what, row: usize| Alert { what, of: "api_keys", workspace: Uuid::nil(), row: row.to_string() };
        for row in 0..KEPT_OF_A_KIND + 500 {
            alerts.raise(of("row_unvouched", row));
        }
        alerts.raise(of("row_rolled_back", 0));
        let taken = alerts.take().await;
        assert_eq!(taken.len(), KEPT_OF_A_KIND + 2);
        assert_eq!(taken.iter().find(|alert| alert.what == MORE).unwrap().of, "row_unvouched");
        assert_eq!(taken.last().unwrap().what, "row_rolled_back");
    }

    #[tokio::test(start_paused = true)]
    async fn a_finding_is_told_once_in_a_while_and_not_lost() {
        let alerts = Alerts::default();
        let alert =
            |row: &str| Alert { what: "does_not_open", of: "replay/v1", workspace: Uuid::nil(), row: row.to_owned() };
        alerts.raise(alert("a"));
        alerts.raise(alert("a"));
        alerts.raise(alert("b"));
        let taken = alerts.take().await;
        assert_eq!(taken, [alert("a"), alert("b")]);
        alerts.give_back(taken);
        assert_eq!(alerts.take().await.len(), 2);
        alerts.raise(alert("a"));
        tokio::time::advance(QUIET).await;
        alerts.raise(alert("a"));
        assert_eq!(alerts.take().await, [alert("a")]);
    }
}
