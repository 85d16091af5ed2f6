//! The stream in the console: how it is, the form that sets it, and its removal. The key that was typed never comes back.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::model::{AccessKey, SetStream, State as Stage, Stream};
use super::{Streams, http};
use crate::authz::{Granted, may};
use crate::console::{Area, Desk, Field, Flash, Moment, SENT_BEFORE, Visit};
use crate::db::Db;
use crate::http::{Changes, Code, Form, Problem};
use crate::members::Names;
use crate::workspaces;

/// `/w/{workspace}/{environment}/audit/stream`.
#[derive(Template)]
#[template(path = "audit/stream.html")]
struct StreamPage {
    desk: Desk,
    stream: Option<StreamView>,
    form: StreamForm,
}

/// A stream in words.
struct StreamView {
    place: String,
    endpoint: String,
    access_key_id: String,
    by: String,
    set: Moment,
    state: &'static str,
    is_well: bool,
    is_stopped: bool,
    written_size: u64,
    log_size: u64,
    written: Option<Moment>,
    fault: Option<FaultView>,
    next: Option<Moment>,
}

struct FaultView {
    code: String,
    advice: String,
    object: Option<String>,
    at: Moment,
    failures: u32,
}

impl StreamView {
    fn of(stream: Stream, names: &Names, visit: &Visit) -> Self {
        Self {
            place: format!("s3://{}/{}", stream.bucket, stream.path),
            endpoint: stream.endpoint.unwrap_or_else(|| format!("Amazon S3 in {}", stream.region)),
            access_key_id: stream.access_key_id,
            by: names.of(stream.set_by),
            set: visit.moment(stream.set_at),
            state: match stream.state {
                Stage::Starting => "It is about to be written for the first time.",
                Stage::Following => "It follows the log.",
                Stage::Retrying => "It cannot go on at the moment, and is tried again by itself.",
                Stage::Stopped => "It has stopped.",
            },
            is_well: matches!(stream.state, Stage::Starting | Stage::Following),
            is_stopped: stream.state == Stage::Stopped,
            written_size: stream.written_size,
            log_size: stream.log_size,
            written: stream.written_at.map(|at| visit.moment(at)),
            fault: stream.fault.map(|fault| FaultView {
                code: fault.code,
                advice: fault.advice,
                object: fault.object,
                at: visit.moment(fault.at),
                failures: fault.failures,
            }),
            next: stream.next_try_at.map(|at| visit.moment(at)),
        }
    }
}

/// The form that sets a stream.
#[derive(Default)]
struct StreamForm {
    idempotency_key: Uuid,
    fault: Option<&'static str>,
    endpoint: Field,
    region: Field,
    bucket: Field,
    prefix: Field,
    access_key_id: Field,
    secret_fault: Option<String>,
}

/// What was typed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamInput {
    idempotency_key: Uuid,
    endpoint: String,
    region: String,
    bucket: String,
    prefix: String,
    access_key_id: String,
    secret_access_key: String,
}

impl StreamForm {
    /// Empty, or with where the stream goes now.
    fn new(visit: &Visit, stream: Option<&Stream>) -> Self {
        let mut form = Self { idempotency_key: visit.form_key(), ..Self::default() };
        if let Some(stream) = stream {
            form.endpoint = Field::typed(stream.endpoint.clone().unwrap_or_default());
            form.region = Field::typed(&stream.region);
            form.bucket = Field::typed(&stream.bucket);
            form.prefix = Field::typed(stream.prefix.clone().unwrap_or_default());
            form.access_key_id = Field::typed(&stream.access_key_id);
        }
        form
    }

    fn typed(visit: &Visit, input: &StreamInput) -> Self {
        Self {
            idempotency_key: visit.form_key(),
            endpoint: Field::typed(&input.endpoint),
            region: Field::typed(&input.region),
            bucket: Field::typed(&input.bucket),
            prefix: Field::typed(&input.prefix),
            access_key_id: Field::typed(&input.access_key_id),
            ..Self::default()
        }
    }

    fn has_faults(&self) -> bool {
        let fields = [&self.endpoint, &self.region, &self.bucket, &self.prefix, &self.access_key_id];
        self.fault.is_some() || self.secret_fault.is_some() || fields.iter().any(|field| field.fault.is_some())
    }

    /// Puts what was refused beside its field; what is none of the form's business stays a problem.
    fn refuse(&mut self, problem: Problem) -> Result<(), Problem> {
        match problem.code() {
            Code::IdempotencyKeyReused => self.fault = Some(SENT_BEFORE),
            Code::InvalidBody => {
                for error in problem.field_errors() {
                    let fault = Some(error.detail.clone());
                    match error.pointer.as_str() {
                        "/endpoint" => self.endpoint.fault = fault,
                        "/region" => self.region.fault = fault,
                        "/bucket" => self.bucket.fault = fault,
                        "/prefix" => self.prefix.fault = fault,
                        "/access_key_id" => self.access_key_id.fault = fault,
                        _ => self.secret_fault = fault,
                    }
                }
            }
            _ => return Err(problem),
        }
        Ok(())
    }
}

/// `GET …/audit/stream`.
///
/// # Errors
/// `forbidden`.
pub async fn show(
    granted: Granted<may::StreamAudit>,
    visit: Visit,
    State(db): State<Db>,
    State(streams): State<Streams>,
) -> Result<Response, Problem> {
    let stream = http::find(&granted, &streams).await?;
    let form = StreamForm::new(&visit, stream.as_ref());
    let page = page(&granted, &visit, &db, stream, form).await?;
    visit.page(&page)
}

async fn page(
    granted: &Granted<may::StreamAudit>,
    visit: &Visit,
    db: &Db,
    stream: Option<Stream>,
    form: StreamForm,
) -> Result<StreamPage, Problem> {
    let desk = workspaces::desk(visit, granted, db, Area::Audit).await?;
    let names = Names::look_up(granted, db).await?;
    Ok(StreamPage { desk, stream: stream.map(|stream| StreamView::of(stream, &names, visit)), form })
}

/// `POST …/audit/stream`.
///
/// # Errors
/// As the API's.
pub async fn set(
    granted: Granted<may::StreamAudit>,
    visit: Visit,
    State(db): State<Db>,
    State(changes): State<Changes>,
    State(streams): State<Streams>,
    Form(input): Form<StreamInput>,
) -> Result<Response, Problem> {
    let desk = workspaces::desk(&visit, &granted, &db, Area::Audit).await?;
    let StreamInput { endpoint, region, bucket, prefix, access_key_id, secret_access_key, .. } = &input;
    let typed = (endpoint, region, bucket, prefix, access_key_id, secret_access_key);
    let once = visit.once(input.idempotency_key, &typed)?;
    let wanted = SetStream {
        endpoint: Some(endpoint.clone()),
        region: region.trim().to_owned(),
        bucket: bucket.trim().to_owned(),
        prefix: Some(prefix.trim().to_owned()),
        access_key_id: access_key_id.trim().to_owned(),
        secret_access_key: AccessKey::new(secret_access_key.trim()),
    };
    let mut form = StreamForm::typed(&visit, &input);
    match http::put(&granted, &changes, &streams, &wanted, once).await {
        Ok(_) => return Ok(visit.done(&desk.path("/audit/stream"), Flash::StreamSet)),
        Err(problem) => form.refuse(problem)?,
    }
    let stream = http::find(&granted, &streams).await?;
    let page = page(&granted, &visit, &db, stream, form).await?;
    visit.form_again(&page)
}

/// `…/audit/stream/remove`.
#[derive(Template)]
#[template(path = "audit/stream-remove.html")]
struct RemovePage {
    desk: Desk,
    idempotency_key: Uuid,
    bucket: String,
    place: String,
    confirm: Field,
}

/// What was typed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemoveInput {
    idempotency_key: Uuid,
    confirm: String,
}

/// `GET …/audit/stream/remove`.
///
/// # Errors
/// `not_found`.
pub async fn confirm(
    granted: Granted<may::StreamAudit>,
    visit: Visit,
    State(db): State<Db>,
    State(streams): State<Streams>,
) -> Result<Response, Problem> {
    let page = removal(&granted, &visit, &db, &streams, Field::default()).await?;
    visit.page(&page)
}

async fn removal(
    granted: &Granted<may::StreamAudit>,
    visit: &Visit,
    db: &Db,
    streams: &Streams,
    confirm: Field,
) -> Result<RemovePage, Problem> {
    let desk = workspaces::desk(visit, granted, db, Area::Audit).await?;
    let stream = http::find(granted, streams).await?.ok_or_else(|| Problem::new(Code::NotFound))?;
    let place = format!("s3://{}/{}", stream.bucket, stream.path);
    Ok(RemovePage { desk, idempotency_key: visit.form_key(), bucket: stream.bucket, place, confirm })
}

/// `POST …/audit/stream/remove`.
///
/// # Errors
/// As the API's.
pub async fn remove(
    granted: Granted<may::StreamAudit>,
    visit: Visit,
    State(db): State<Db>,
    State(changes): State<Changes>,
    State(streams): State<Streams>,
    Form(input): Form<RemoveInput>,
) -> Result<Response, Problem> {
    let mut page = removal(&granted, &visit, &db, &streams, Field::typed(&input.confirm)).await?;
    if input.confirm.trim() != page.bucket {
        page.confirm.fault = Some(format!("That is another bucket. Type “{}”, exactly.", page.bucket));
        return visit.form_again(&page);
    }
    let once = visit.once(input.idempotency_key, &input)?;
    http::delete(&granted, &changes, once).await?;
    Ok(visit.done(&page.desk.path("/audit/stream"), Flash::StreamRemoved))
}
