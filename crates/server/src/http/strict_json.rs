//! JSON without the liberties: what two parsers might read differently is refused.
//!
//! One UTF-8 value (RFC 8259), nested at most [`MAX_DEPTH`] deep, without doubled keys at any depth and
//! without NUL in any string. `serde_json` alone accepts doubled keys in free-form values and depth 128.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// How deep arrays and objects may nest.
pub(super) const MAX_DEPTH: usize = 32;

/// Reads one value and nothing after it.
///
/// # Errors
/// What `serde_json` says, with line and column but without any of the input's text.
pub(super) fn parse(bytes: &[u8]) -> Result<Value, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Strict { depth: 0 }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

#[derive(Clone, Copy)]
struct Strict {
    depth: usize,
}

impl Strict {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        if self.depth < MAX_DEPTH { Ok(Self { depth: self.depth + 1 }) } else { Err(E::custom("nested too deep")) }
    }

    fn text<E: Error>(text: &str) -> Result<String, E> {
        if text.contains('\0') { Err(E::custom("NUL in a string")) } else { Ok(text.to_owned()) }
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }
    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number out of range"))
    }
    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Self::text(value).map(Value::String)
    }
    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut object = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            let key = Self::text(&key)?;
            if object.contains_key(&key) {
                return Err(A::Error::custom("a doubled key"));
            }
            let value = members.next_value_seed(inner)?;
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn liberties_are_refused() {
        let check = |text: &str, good: bool| assert_eq!(parse(text.as_bytes()).is_ok(), good, "{text}");
        check(r#"{"a":{"b":[1,2.5,null,true,"x"]}}"#, true);
        check(r#"{"a":1,"a":2}"#, false);
        check(r#"{"a":[{"b":1,"b":1}]}"#, false);
        check(r#"{"a":"\u0000"}"#, false);
        check("{\"\\u0000\":1}", false);
        check("{} {}", false);
        check("", false);
        check(&("[".repeat(32) + &"]".repeat(32)), true);
        check(&("[".repeat(33) + &"]".repeat(33)), false);
        check(&"[".repeat(100_000), false);
        assert!(parse(b"\"\xff\"").is_err());
    }
}
