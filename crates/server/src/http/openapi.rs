//! The contract: OpenAPI 3.1, made from the route table.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Code;
use super::operation::{Access, Body, Operation, Schemas};

/// The document, with keys in a fixed order, so that two builds of one table are byte-identical.
#[must_use]
pub fn document(version: &str, operations: &[Operation]) -> Value {
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    let mut schemas = Schemas::new();
    for operation in operations {
        let method = operation.method.as_str().to_ascii_lowercase();
        paths.entry(operation.path.replace("{*", "{")).or_default().insert(method, describe(operation, &mut schemas));
    }
    let mut components: BTreeMap<String, Value> =
        schemas.into_iter().map(|(name, schema)| (name, serde_json::to_value(schema).unwrap_or_default())).collect();
    components.insert("Problem".to_owned(), problem_schema());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Bailiwick",
            "version": version,
            "description": "Sign-in, workspaces, roles and API keys. Errors are application/problem+json with a code of a closed list.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "session": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "An access token of POST /auth/verify."},
                "apiKey": {"type": "http", "scheme": "bearer", "bearerFormat": "bw_live_…", "description": "An API key."},
                "internal": {"type": "http", "scheme": "bearer", "bearerFormat": "bw_int_…", "description": "The credential of a service of the operator's."},
                "forwarding": {"type": "apiKey", "in": "header", "name": "Bailiwick-Internal-Key", "description": "The credential of a service of the operator's, where Authorization is its caller's."},
            },
        },
    })
}

fn describe(operation: &Operation, schemas: &mut Schemas) -> Value {
    let mut described = json!({
        "operationId": operation.id,
        "summary": operation.summary,
        "parameters": parameters(operation),
        "responses": responses(operation, schemas),
        "security": security(operation.access),
    });
    let object = described.as_object_mut();
    if let Some(object) = object {
        if let Access::Permission(permission) = operation.access {
            object.insert("x-permission".to_owned(), json!(permission.name()));
        }
        if let Some(body) = operation.takes {
            let content = json!({"application/json": {"schema": reference(body, schemas)}});
            object.insert("requestBody".to_owned(), json!({"required": true, "content": content}));
        }
    }
    described
}

fn parameters(operation: &Operation) -> Vec<Value> {
    let text = |name: &str, place: &str, required: bool, description: &str| json!({"name": name, "in": place, "required": required, "description": description, "schema": {"type": "string"}});
    let names = operation.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    // What may hold slashes: the router's mark of it is no part of the name.
    let names = names.map(|name| name.trim_start_matches('*'));
    let mut parameters: Vec<Value> = names
        .map(|name| {
            let description = if name == "workspace" {
                "The workspace's id, or its slug among one's own."
            } else if name == "path" {
                "What of the log: as in C2SP tlog-tiles, slashes and all."
            } else {
                "The thing's id."
            };
            text(name, "path", true, description)
        })
        .collect();
    let environment = json!({"type": "string", "enum": ["live", "test"]});
    parameters.extend(operation.query.iter().map(|(name, description)| {
        let schema = match *name {
            "limit" => json!({"type": "integer", "minimum": 1, "maximum": 100}),
            "from" | "to" if operation.id == "proveConsistency" => json!({"type": "integer", "minimum": 0}),
            "from" | "to" => json!({"type": "string", "format": "date-time"}),
            "status" => json!({"type": "string", "enum": ["active", "expired", "revoked"]}),
            _ => json!({"type": "string"}),
        };
        let required = *name == "from" && operation.id == "proveConsistency";
        json!({"name": name, "in": "query", "required": required, "description": description, "schema": schema})
    }));
    if matches!(operation.access, Access::Permission(_) | Access::AnyKey) {
        let mut header =
            text("Bailiwick-Environment", "header", false, "live (if nothing is said) or test; a key has its own.");
        if let Some(header) = header.as_object_mut() {
            header.insert("schema".to_owned(), environment);
        }
        parameters.push(header);
    }
    if operation.changes {
        parameters.push(text(
            "Idempotency-Key",
            "header",
            false,
            "1 to 255 visible ASCII characters; sent again, the request is answered as before.",
        ));
    }
    parameters
}

fn responses(operation: &Operation, schemas: &mut Schemas) -> BTreeMap<String, Value> {
    let mut by_status: BTreeMap<String, Value> = BTreeMap::new();
    let mut success = json!({"description": "Done."});
    if let (Some(body), Some(object)) = (operation.answers, success.as_object_mut()) {
        let content = json!({"application/json": {"schema": reference(body, schemas)}});
        object.insert("content".to_owned(), content);
    }
    if let (Some(media), Some(object)) = (operation.media, success.as_object_mut()) {
        let kind = if media.ends_with("json") { "object" } else { "string" };
        object.insert("content".to_owned(), json!({media: {"schema": {"type": kind}}}));
    }
    by_status.insert(operation.status.to_string(), success);
    let mut codes: BTreeMap<u16, Vec<&str>> = BTreeMap::new();
    for code in codes_of(operation) {
        codes.entry(code.status().as_u16()).or_default().push(code.as_str());
    }
    for (status, codes) in codes {
        let content = json!({"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}});
        by_status.insert(status.to_string(), json!({"description": codes.join(", "), "content": content}));
    }
    by_status
}

/// What an operation can answer besides its success: by its access, its body, and what it adds.
fn codes_of(operation: &Operation) -> Vec<Code> {
    let mut codes = vec![Code::MisdirectedRequest, Code::InvalidParameter, Code::Internal, Code::Unavailable];
    codes.extend(match operation.access {
        Access::Anyone => [].as_slice(),
        Access::InternalCredential | Access::ForwardedRequest => {
            &[Code::Unauthenticated, Code::WrongAudience, Code::AddressNotAllowed]
        }
        Access::SignedIn => &[Code::Unauthenticated, Code::TokenExpired, Code::SessionEnded, Code::Forbidden],
        Access::AnyKey => &[
            Code::Unauthenticated,
            Code::KeyRevoked,
            Code::KeyExpired,
            Code::AddressNotAllowed,
            Code::WrongAudience,
            Code::Forbidden,
            Code::EnvironmentMismatch,
            Code::InvalidHeader,
        ],
        Access::Permission(_) => &[
            Code::Unauthenticated,
            Code::TokenExpired,
            Code::SessionEnded,
            Code::KeyRevoked,
            Code::KeyExpired,
            Code::AddressNotAllowed,
            Code::WrongAudience,
            Code::Forbidden,
            Code::EnvironmentMismatch,
            Code::NotFound,
            Code::AmbiguousSlug,
            Code::WorkspaceShredded,
            Code::InvalidHeader,
        ],
    });
    if operation.takes.is_some() {
        codes.extend([
            Code::MalformedJson,
            Code::RequestTimeout,
            Code::BodyTooLarge,
            Code::UnsupportedMediaType,
            Code::InvalidBody,
        ]);
    }
    if !operation.query.is_empty() {
        codes.push(Code::InvalidCursor);
    }
    if operation.changes {
        codes.extend([Code::CrossOrigin, Code::InvalidHeader, Code::IdempotencyInFlight, Code::IdempotencyKeyReused]);
    }
    codes.extend(operation.codes);
    codes.sort_by_key(|code| (code.status().as_u16(), code.as_str()));
    codes.dedup();
    codes
}

fn security(access: Access) -> Value {
    match access {
        Access::Anyone => json!([]),
        Access::SignedIn => json!([{"session": []}]),
        Access::AnyKey => json!([{"apiKey": []}]),
        Access::Permission(_) => json!([{"session": []}, {"apiKey": []}]),
        Access::InternalCredential => json!([{"internal": []}]),
        Access::ForwardedRequest => json!([{"forwarding": []}]),
    }
}

fn reference(body: Body, schemas: &mut Schemas) -> Value {
    let name = (body.name)();
    (body.referred)(schemas);
    if !schemas.iter().any(|(known, _)| *known == name) {
        schemas.push((name.clone(), (body.schema)()));
    }
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn problem_schema() -> Value {
    let text = json!({"type": "string"});
    json!({
        "type": "object",
        "description": "RFC 9457",
        "required": ["type", "title", "status", "code", "detail", "request_id"],
        "properties": {
            "type": text, "title": text, "status": {"type": "integer"}, "detail": text, "request_id": text,
            "code": {"type": "string", "enum": Code::ALL.map(Code::as_str).as_slice()},
            "errors": {"type": "array", "items": {
                "type": "object", "required": ["pointer", "code", "detail"],
                "properties": {"pointer": text, "code": text, "detail": text},
            }},
            "permission": text,
            "scope": text,
            "successor_id": text,
            "workspaces": {"type": "array", "items": text},
            "seq": {"type": "integer"},
            "receipt": text,
        },
    })
}
