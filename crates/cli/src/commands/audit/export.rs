//! `audit export`: a stretch of the log, handed on as it comes.

use std::fs::File;
use std::io::{self, Write};

use serde::Serialize;
use time::OffsetDateTime;

use crate::access::Access;
use crate::args::{Export, ExportFormat};
use crate::failure::Failure;
use crate::output::Answer;

/// `POST /v1/workspaces/{workspace}/audit/export`.
#[derive(Serialize)]
struct Request {
    format: ExportFormat,
    #[serde(skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    from: Option<OffsetDateTime>,
    #[serde(skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    to: Option<OffsetDateTime>,
}

/// Writes what is exported into a new file, or to standard output.
pub(super) async fn export(access: Access, wanted: &Export) -> Result<Answer, Failure> {
    let workspace = access.workspace().await?;
    let path = ["v1", "workspaces", workspace.as_str(), "audit", "export"];
    let body = Request { format: wanted.format, from: wanted.from, to: wanted.to };
    let mut out: Box<dyn Write> = match &wanted.out {
        Some(path) => {
            let file = File::create_new(path);
            Box::new(file.map_err(|err| Failure::local(format!("could not make {}", path.display()), &err))?)
        }
        None => Box::new(io::stdout().lock()),
    };
    let mut write = |bytes: &[u8]| out.write_all(bytes).map_err(|err| Failure::local("could not write", &err));
    let taken = access.client.stream(&path, &body, &mut write).await?;
    out.flush().map_err(|err| Failure::local("could not write", &err))?;
    let place = wanted.out.as_ref().map_or_else(String::new, |path| format!("; written to {}", path.display()));
    Ok(Answer::nothing().note(format!("{taken} bytes{place}")))
}
