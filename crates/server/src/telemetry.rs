//! Logging: events with fields, as text for people or JSON for machines, on stderr. Counting: for Prometheus.
//!
//! # Invariants
//! - No event holds a body, a query string, a person's address, a key, a token, a code or a link. The filter cannot
//!   change that: statements and requests are not logged by the libraries either, at any level that it opens.
//! - Stdout belongs to the command's own output.

use std::future::Future;
use std::{fmt, io};

use bailiwick_proof::id::RequestId;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::format::{Format, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use crate::config::{Log, LogFormat};

/// Targets that may never speak below `warn`, for their debug lines quote what they carry.
const SILENCED: [&str; 8] =
    ["hyper", "hyper_util", "h2", "lettre", "rustls", "sqlx", "webauthn_rs", "webauthn_rs_core"];

/// Upper bounds of the histograms, which all count seconds.
const DURATION_BUCKETS_S: [f64; 12] = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// Makes the process log to stderr.
///
/// # Errors
/// When the process has a subscriber already.
pub fn install(log: &Log) -> Result<(), tracing::subscriber::SetGlobalDefaultError> {
    // A panic is an event like any other: its place, never its message, which may quote what it was working on.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(event = "panic", place);
    }));
    tracing::subscriber::set_global_default(subscriber(log, io::stderr))
}

/// Makes the process count; the handle renders the counts for `/metrics`.
///
/// # Errors
/// When the process has a recorder already.
pub fn install_metrics() -> Result<PrometheusHandle, metrics_exporter_prometheus::BuildError> {
    PrometheusBuilder::new().set_buckets(&DURATION_BUCKETS_S)?.install_recorder()
}

/// A subscriber that writes to `writer`.
pub fn subscriber<W>(log: &Log, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = EnvFilter::try_new(&log.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    Registry::default().with(filter).with(lines(log.format, writer).with_filter(filter_fn(may_speak)))
}

/// What the operator's filter cannot open.
fn may_speak(metadata: &Metadata<'_>) -> bool {
    let crate_name = metadata.target().split("::").next().unwrap_or_default();
    *metadata.level() <= Level::WARN || !SILENCED.contains(&crate_name)
}

fn lines<S, W>(format: LogFormat, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer().with_writer(writer);
    match format {
        LogFormat::Text => {
            let lines = lines.with_ansi(io::IsTerminal::is_terminal(&io::stderr()));
            lines.event_format(Named { format, line: Format::default().compact() }).boxed()
        }
        LogFormat::Json => {
            let line = Format::default().json().flatten_event(true).with_current_span(false).with_span_list(false);
            lines.json().event_format(Named { format, line }).boxed()
        }
    }
}

tokio::task_local! {
    static REQUEST: RequestId;
}

/// Whatever is logged while `work` runs, a fault's cause too, is found by the id that the request's answer carries. A span
/// would do that as well, at twenty times the cost for every request that has nothing to say.
pub fn in_request<F: Future>(id: RequestId, work: F) -> impl Future<Output = F::Output> {
    REQUEST.scope(id, work)
}

/// The same for work that waits for nothing.
pub fn at_once_in_request<T>(id: RequestId, work: impl FnOnce() -> T) -> T {
    REQUEST.sync_scope(id, work)
}

/// A line with the id of the request that it was written for, if there is one.
struct Named<F> {
    format: LogFormat,
    line: F,
}

impl<S, N, F> FormatEvent<S, N> for Named<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut to: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let Ok(id) = REQUEST.try_with(|id| *id) else { return self.line.format_event(context, to, event) };
        match self.format {
            LogFormat::Text => {
                write!(to, "{id} ")?;
                self.line.format_event(context, to, event)
            }
            LogFormat::Json => {
                let mut line = String::new();
                self.line.format_event(context, Writer::new(&mut line), event)?;
                match line.trim_end().strip_suffix('}') {
                    Some(object) => writeln!(to, "{object},\"request_id\":\"{id}\"}}"),
                    None => to.write_str(&line),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: LogFormat, filter: &str, events: impl FnOnce()) -> String {
        let page = Page::default();
        let writer = page.clone();
        let log = Log { format, filter: filter.to_owned() };
        tracing::subscriber::with_default(subscriber(&log, move || writer.clone()), events);
        String::from_utf8(page.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn an_event_is_an_object_with_its_fields() {
        let line = logged(LogFormat::Json, "info", || tracing::info!(event = "server.ready", duration_ms = 7));
        let object: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&object["event"], &object["duration_ms"]), (&"server.ready".into(), &7.into()));
        assert_eq!(object["level"], "INFO");
    }

    #[test]
    fn a_line_names_the_request_that_it_was_written_for() {
        let id: RequestId = "req_01h455vb4pex5vsknk084sn02q".parse().unwrap();
        let speak = || {
            futures_util::future::FutureExt::now_or_never(in_request(id, async { tracing::warn!(event = "asked") }));
            tracing::warn!(event = "unasked");
        };
        let lines = logged(LogFormat::Json, "info", speak);
        let of: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((&of[0]["event"], &of[0]["request_id"]), (&"asked".into(), &id.to_string().into()), "{lines}");
        assert_eq!((&of[1]["event"], of[1].get("request_id")), (&"unasked".into(), None), "{lines}");
        let lines = logged(LogFormat::Text, "info", speak);
        assert!(lines.starts_with(&format!("{id} ")) && lines.matches("req_").count() == 1, "{lines}");
    }

    #[test]
    fn no_filter_opens_what_quotes_its_cargo() {
        let text = logged(LogFormat::Text, "trace,sqlx::query=trace,lettre=debug", || {
            tracing::debug!(target: "bailiwick_server::x", event = "ours");
            tracing::info!(target: "sqlx::query", "SELECT 'secret'");
            tracing::debug!(target: "lettre::transport", "RCPT TO:<a@b.example>");
            tracing::warn!(target: "sqlx::pool", event = "kept");
        });
        assert!(text.contains("ours") && text.contains("kept"), "{text}");
        assert!(!text.contains("secret") && !text.contains("a@b"), "{text}");
    }
}
