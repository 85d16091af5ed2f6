//! Lists, a page at a time, by an opaque cursor.
//!
//! A cursor is base64url of `version u8 (1) | list u8 | uuid 16`: the last id of a page, bound to its list.
//! Ids are public, so it holds nothing secret, and whoever makes one up gets a page of their own rows.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};
use uuid::Uuid;

use super::problem::{Code, Problem};

const VERSION: u8 = 1;
const DEFAULT_LIMIT: u16 = 50;
const MAX_LIMIT: u16 = 100;

/// One page of a list.
#[derive(Debug, Serialize)]
pub struct Page<T> {
    /// The items.
    pub data: Vec<T>,
    /// Pass it as `cursor` for what follows; null at the end.
    pub next_cursor: Option<String>,
}

/// Written by hand, for the derived one gives the pages of all lists one name, and so the items of one.
impl<T: ToSchema> PartialSchema for Page<T> {
    fn schema() -> RefOr<Schema> {
        let text_or_null = SchemaType::from_iter([Type::String, Type::Null]);
        ObjectBuilder::new()
            .property("data", ArrayBuilder::new().items(Ref::from_schema_name(T::name())))
            .required("data")
            .property("next_cursor", ObjectBuilder::new().schema_type(text_or_null))
            .required("next_cursor")
            .into()
    }
}

impl<T: ToSchema> ToSchema for Page<T> {
    fn name() -> Cow<'static, str> {
        Cow::Owned(format!("{}Page", T::name()))
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((T::name().into_owned(), T::schema()));
        T::schemas(schemas);
    }
}

/// `?limit=&cursor=` of every list.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    limit: Option<u16>,
    cursor: Option<String>,
}

impl ListQuery {
    /// For a list that has parameters of its own beside these.
    #[must_use]
    pub const fn new(limit: Option<u16>, cursor: Option<String>) -> Self {
        Self { limit, cursor }
    }

    /// How many items are wanted: 1 to 100, 50 if nothing is said.
    ///
    /// # Errors
    /// `invalid_parameter` beyond that.
    pub fn limit(&self) -> Result<u16, Problem> {
        match self.limit.unwrap_or(DEFAULT_LIMIT) {
            limit @ 1..=MAX_LIMIT => Ok(limit),
            _ => Err(Problem::new(Code::InvalidParameter).detail(format!("limit is 1 to {MAX_LIMIT}."))),
        }
    }

    /// The id after which the page begins, if a cursor of this list was sent.
    ///
    /// # Errors
    /// `invalid_cursor` for anything else.
    pub fn after(&self, list: u8) -> Result<Option<Uuid>, Problem> {
        let Some(cursor) = &self.cursor else { return Ok(None) };
        let invalid = || Problem::new(Code::InvalidCursor);
        let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| invalid())?;
        match bytes.split_first_chunk::<2>() {
            Some(([VERSION, of], id)) if *of == list => Uuid::from_slice(id).map(Some).map_err(|_| invalid()),
            _ => Err(invalid()),
        }
    }
}

impl<T> Page<T> {
    /// Cuts `limit + 1` rows to a page: the extra row tells that there is more.
    #[must_use]
    pub fn cut(mut rows: Vec<T>, limit: u16, list: u8, id: impl Fn(&T) -> Uuid) -> Self {
        let more = rows.len() > usize::from(limit);
        rows.truncate(usize::from(limit));
        let next = rows.last().filter(|_| more).map(id);
        Self::up_to(rows, list, next)
    }

    /// A page that may be short, though there is more after this id.
    #[must_use]
    pub fn up_to(data: Vec<T>, list: u8, next: Option<Uuid>) -> Self {
        let cursor = |id: Uuid| {
            let mut bytes = vec![VERSION, list];
            bytes.extend_from_slice(id.as_bytes());
            URL_SAFE_NO_PAD.encode(bytes)
        };
        Self { data, next_cursor: next.map(cursor) }
    }

    /// The page in another form.
    #[must_use]
    pub fn map<U>(self, form: impl FnMut(T) -> U) -> Page<U> {
        Page { data: self.data.into_iter().map(form).collect(), next_cursor: self.next_cursor }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_opens_its_own_list_alone() {
        let rows: Vec<Uuid> = (0..4).map(Uuid::from_u128).collect();
        let page = Page::cut(rows, 3, 7, |id| *id);
        let query = ListQuery { limit: None, cursor: page.next_cursor };
        assert_eq!(query.after(7).unwrap(), Some(Uuid::from_u128(2)));
        assert!(query.after(8).is_err());
        for cursor in ["", "x", "AAAA", "!!", &"A".repeat(10_000)] {
            let query = ListQuery { limit: None, cursor: Some(cursor.to_owned()) };
            assert!(query.after(7).is_err(), "{cursor:.20}");
        }
        assert!(Page::cut(vec![Uuid::nil()], 1, 7, |id| *id).next_cursor.is_none());
    }
}
