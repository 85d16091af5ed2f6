//! What a receipt carries besides the proof: the entry and its openings, as canonical JSON.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::MalformedReceipt;
use crate::canonical::{self, write_string};
use crate::commitment::{Field, Opening};

/// The members are sorted, and so are the fields, whose order is that of their names.
pub(super) fn to_string(entry: &str, openings: &BTreeMap<Field, Opening>) -> String {
    let mut text = String::from("{\"entry\":");
    write_string(entry, &mut text);
    text.push_str(",\"openings\":{");
    for (position, (field, opening)) in openings.iter().enumerate() {
        if position > 0 {
            text.push(',');
        }
        text.push_str(&format!("\"{field}\":{{\"r\":\"{}\",\"value\":", STANDARD.encode(opening.r)));
        write_string(&opening.value, &mut text);
        text.push('}');
    }
    text.push_str("}}");
    text
}

pub(super) fn parse(bytes: &[u8]) -> Result<(String, BTreeMap<Field, Opening>), MalformedReceipt> {
    let value = canonical::parse(bytes)?;
    read(value).ok_or(MalformedReceipt::ExtraMembers)
}

fn read(value: Value) -> Option<(String, BTreeMap<Field, Opening>)> {
    let mut members = object(value)?;
    let entry = text(members.remove("entry")?)?;
    let openings = object(members.remove("openings")?)?;
    let openings = openings
        .into_iter()
        .map(|(field, opening)| {
            let mut opening = object(opening)?;
            let r = STANDARD.decode(text(opening.remove("r")?)?).ok()?.try_into().ok()?;
            let value = text(opening.remove("value")?)?;
            opening.is_empty().then_some((field.parse().ok()?, Opening { r, value }))
        })
        .collect::<Option<_>>()?;
    members.is_empty().then_some((entry, openings))
}

fn object(value: Value) -> Option<Map<String, Value>> {
    match value {
        Value::Object(members) => Some(members),
        _ => None,
    }
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}
