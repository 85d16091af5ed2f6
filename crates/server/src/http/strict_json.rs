//! JSON without the liberties: what two parsers might read differently is refused.
//!
//! One UTF-8 value (RFC 8259), nested at most [`MAX_DEPTH`] deep, without doubled keys at any depth and
//! without NUL in any string. `serde_json` alone accepts doubled keys in free-form values and depth 128.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// How deep arrays and objects may nest.
pub(super) const MAX_DEPTH: usize = 32;
/// Up to so many keys are compared one by one; most objects have fewer.
const FEW: usize = 8;

/// What a text is at its outermost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Object,
    Other,
}

/// Reads one value and nothing after it, and keeps none of it.
///
/// # Errors
/// What `serde_json` says, with line and column but without any of the input's text.
pub(super) fn check(bytes: &[u8]) -> Result<Kind, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let kind = Strict { depth: 0 }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(kind)
}

#[derive(Clone, Copy)]
struct Strict {
    depth: usize,
}

impl Strict {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        if self.depth < MAX_DEPTH { Ok(Self { depth: self.depth + 1 }) } else { Err(E::custom("nested too deep")) }
    }
}

fn without_nul<E: Error>(text: &str) -> Result<(), E> {
    if text.contains('\0') { Err(E::custom("NUL in a string")) } else { Ok(()) }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Kind;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Kind, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Kind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_bool<E: Error>(self, _: bool) -> Result<Kind, E> {
        Ok(Kind::Other)
    }
    fn visit_i64<E: Error>(self, _: i64) -> Result<Kind, E> {
        Ok(Kind::Other)
    }
    fn visit_u64<E: Error>(self, _: u64) -> Result<Kind, E> {
        Ok(Kind::Other)
    }
    fn visit_f64<E: Error>(self, value: f64) -> Result<Kind, E> {
        if value.is_finite() { Ok(Kind::Other) } else { Err(E::custom("a number out of range")) }
    }
    fn visit_str<E: Error>(self, value: &str) -> Result<Kind, E> {
        without_nul(value).map(|()| Kind::Other)
    }
    fn visit_unit<E: Error>(self) -> Result<Kind, E> {
        Ok(Kind::Other)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Kind, A::Error> {
        let inner = self.deeper()?;
        while items.next_element_seed(inner)?.is_some() {}
        Ok(Kind::Other)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Kind, A::Error> {
        let inner = self.deeper()?;
        let mut keys = Keys::default();
        while let Some(key) = members.next_key_seed(Key)? {
            without_nul(&key)?;
            if !keys.insert(key) {
                return Err(A::Error::custom("a doubled key"));
            }
            members.next_value_seed(inner)?;
        }
        Ok(Kind::Object)
    }
}

/// The keys of one object.
#[derive(Default)]
struct Keys<'de> {
    few: Vec<Cow<'de, str>>,
    many: HashSet<Cow<'de, str>>,
}

impl<'de> Keys<'de> {
    /// False when it was there.
    fn insert(&mut self, key: Cow<'de, str>) -> bool {
        if self.few.contains(&key) {
            return false;
        }
        if self.few.len() < FEW {
            self.few.push(key);
            return true;
        }
        self.many.insert(key)
    }
}

/// A key, where it stands in the text; a copy where it has escapes.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cow<'de, str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }
    fn visit_borrowed_str<E: Error>(self, key: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(key))
    }
    fn visit_str<E: Error>(self, key: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(key.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn liberties_are_refused() {
        let check = |text: &str, good: bool| assert_eq!(super::check(text.as_bytes()).is_ok(), good, "{text}");
        check(r#"{"a":{"b":[1,2.5,null,true,"x"]}}"#, true);
        check(r#"{"a":1,"a":2}"#, false);
        check(r#"{"a":[{"b":1,"b":1}]}"#, false);
        check(r#"{"a":1,"\u0061":1}"#, false);
        check(r#"{"a":0,"b":1,"c":2,"d":3,"e":4,"f":5,"g":6,"h":7,"i":8,"j":9}"#, true);
        check(r#"{"a":0,"b":1,"c":2,"d":3,"e":4,"f":5,"g":6,"h":7,"i":8,"i":9}"#, false);
        check(r#"{"a":0,"b":1,"c":2,"d":3,"e":4,"f":5,"g":6,"h":7,"i":8,"a":9}"#, false);
        check(r#"{"a":"\u0000"}"#, false);
        check(r#"{"a":1e400}"#, false);
        check("{\"\\u0000\":1}", false);
        check("{} {}", false);
        check("", false);
        check(&("[".repeat(32) + &"]".repeat(32)), true);
        check(&("[".repeat(33) + &"]".repeat(33)), false);
        check(&"[".repeat(100_000), false);
        assert!(super::check(b"\"\xff\"").is_err());
    }
}
