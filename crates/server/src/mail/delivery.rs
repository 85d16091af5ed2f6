//! The background task that delivers.

use std::future::ready;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::poll_fn;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::mailbox::Mailbox;
use super::smtp::Smtp;
use super::{Message, QUEUE};
use crate::clock::Clock;

/// Messages under way at once: one slow server holds up few others.
const AT_ONCE: usize = 4;

/// What travels in the queue.
#[derive(Debug)]
pub(super) enum Item {
    Mail(Message),
    /// Nothing behind this is delivered.
    End,
}

/// Where messages go.
pub(super) enum Outlet {
    Mailbox(Mailbox, Clock),
    Smtp(Box<Smtp>),
}

impl Outlet {
    async fn deliver(&self, message: Message) {
        match self {
            Self::Mailbox(mailbox, clock) => {
                mailbox.store(message, clock.now());
                count("delivered");
            }
            Self::Smtp(smtp) => count(if smtp.deliver(&message).await { "delivered" } else { "failed" }),
        }
    }
}

/// The running task.
#[derive(Debug)]
pub struct Delivery {
    queue: mpsc::Sender<Item>,
    task: JoinHandle<()>,
}

impl Delivery {
    pub(super) fn start(outlet: Outlet, queue: mpsc::Sender<Item>, mut received: mpsc::Receiver<Item>) -> Self {
        let task = tokio::spawn(async move {
            let outlet = &outlet;
            poll_fn(move |context| received.poll_recv(context))
                .take_while(|item| ready(!matches!(item, Item::End)))
                .for_each_concurrent(AT_ONCE, |item| async move {
                    if let Item::Mail(message) = item {
                        outlet.deliver(message).await;
                    }
                })
                .await;
        });
        Self { queue, task }
    }

    /// Delivers what is queued and ends the task, within `patience`; what remains then is lost.
    pub async fn drain(mut self, patience: Duration) {
        let ended = tokio::time::timeout(patience, async {
            let _ended_already = self.queue.send(Item::End).await;
            let _panicked = (&mut self.task).await;
        });
        if ended.await.is_err() {
            self.task.abort();
            let waiting = QUEUE.saturating_sub(self.queue.capacity());
            tracing::error!(event = "mail.lost", waiting, "mail was not delivered before the end");
        }
    }
}

pub(super) fn count(outcome: &'static str) {
    metrics::counter!("bailiwick_mail_total", "outcome" => outcome).increment(1);
}
