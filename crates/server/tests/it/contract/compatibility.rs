//! What breaks a client that was built for an older document.
//!
//! Answers may grow and requests may ask for less. Everything else that an old client relies on stays: operations with
//! their ids, parameters, success statuses, the fields of answers with their types, the fields that requests may send, and
//! the codes.

use serde_json::Value;

/// Every breach, in words; empty when `new` keeps what `old` promised.
pub fn breaking_changes(old: &Value, new: &Value) -> Vec<String> {
    let mut breaches = Vec::new();
    for (path, methods) in object(&old["paths"]) {
        for (method, operation) in object(methods) {
            let now = &new["paths"][path][method];
            compare_operations(&format!("{method} {path}"), (old, operation), (new, now), &mut breaches);
        }
    }
    let codes = |document: &Value| document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"].clone();
    if !includes(&codes(new), &codes(old)) {
        breaches.push("a problem code is gone".to_owned());
    }
    breaches
}

fn compare_operations(
    name: &str,
    (old, was): (&Value, &Value),
    (new, now): (&Value, &Value),
    breaches: &mut Vec<String>,
) {
    if was["operationId"] != now["operationId"] {
        breaches.push(format!("{name}: the operation is gone or renamed"));
        return;
    }
    for parameter in list(&was["parameters"]) {
        if !list(&now["parameters"]).iter().any(|it| it["name"] == parameter["name"] && it["in"] == parameter["in"]) {
            breaches.push(format!("{name}: parameter {} is gone", parameter["name"]));
        }
    }
    for (status, answer) in object(&was["responses"]).filter(|(status, _)| status.starts_with('2')) {
        let now = &now["responses"][status];
        if now.is_null() {
            breaches.push(format!("{name}: no longer answers {status}"));
            continue;
        }
        let (before, after) = (resolve(old, body(answer)), resolve(new, body(now)));
        compare_answers(&format!("{name}: answer {status}"), (old, before), (new, after), breaches);
    }
    let (before, after) = (resolve(old, body(&was["requestBody"])), resolve(new, body(&now["requestBody"])));
    compare_requests(name, before, after, breaches);
}

/// Every field that was in an answer is there with its type, at any depth.
fn compare_answers(name: &str, (old, was): (&Value, &Value), (new, now): (&Value, &Value), breaches: &mut Vec<String>) {
    for (old_part, new_part) in parts(was).into_iter().zip(parts(now)) {
        let (old_part, new_part) = (resolve(old, old_part), resolve(new, new_part));
        if old_part["type"] != new_part["type"] {
            breaches.push(format!("{name}: another type"));
        }
        for (field, schema) in object(&old_part["properties"]) {
            let now = &new_part["properties"][field];
            if now.is_null() {
                breaches.push(format!("{name}: field {field} is gone"));
            } else {
                let pair = (resolve(old, schema), resolve(new, now));
                compare_answers(&format!("{name}.{field}"), (old, pair.0), (new, pair.1), breaches);
            }
        }
        if !old_part["items"].is_null() {
            let pair = (resolve(old, &old_part["items"]), resolve(new, &new_part["items"]));
            compare_answers(&format!("{name}[]"), (old, pair.0), (new, pair.1), breaches);
        }
    }
}

/// Nothing new is demanded, and nothing that could be sent is refused.
fn compare_requests(name: &str, was: &Value, now: &Value, breaches: &mut Vec<String>) {
    if !includes(&was["required"], &now["required"]) {
        breaches.push(format!("{name}: the request must hold more than before"));
    }
    for (field, _) in object(&was["properties"]) {
        if now["properties"][field].is_null() {
            breaches.push(format!("{name}: the request may no longer hold {field}"));
        }
    }
}

/// A schema, or the parts that `allOf` puts together.
fn parts(schema: &Value) -> Vec<&Value> {
    schema["allOf"].as_array().map_or_else(|| vec![schema], |parts| parts.iter().collect())
}

fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap_or(schema),
        None => schema,
    }
}

fn body(holder: &Value) -> &Value {
    &holder["content"]["application/json"]["schema"]
}

fn object(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

fn includes(all: &Value, some: &Value) -> bool {
    list(some).iter().all(|item| list(all).contains(item))
}
