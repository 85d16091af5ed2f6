//! Moments as people read them: relative in the line, exact to hover.

use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

const EXACT: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC");

/// Length of the unit in seconds, how many of it are shown at most, its name.
/// `static/desk.js` has the same table.
const STEPS: [(i64, i64, &str); 5] =
    [(60, 60, "min"), (3_600, 48, "h"), (86_400, 60, "d"), (2_629_746, 24, "mo"), (31_556_952, i64::MAX, "y")];

/// A moment, seen from the moment at which the page was made.
#[derive(Clone, Copy)]
pub(crate) struct Moment {
    at: OffsetDateTime,
    seen_from: OffsetDateTime,
}

impl Moment {
    pub(crate) fn new(at: OffsetDateTime, seen_from: OffsetDateTime) -> Self {
        Self { at: at.to_offset(time::UtcOffset::UTC), seen_from }
    }

    /// For the attribute `datetime`: RFC 3339, to the second.
    pub(crate) fn machine(&self) -> String {
        let whole = self.at.replace_nanosecond(0).unwrap_or(self.at);
        whole.format(&Rfc3339).unwrap_or_default()
    }

    /// `2026-05-05 14:02:10 UTC`.
    pub(crate) fn exact(&self) -> String {
        self.at.format(EXACT).unwrap_or_default()
    }

    /// `3 min ago`, `in 30 d`.
    pub(crate) fn relative(&self) -> String {
        let seconds = (self.seen_from - self.at).whole_seconds();
        let distance = seconds.abs();
        if distance < 60 {
            return String::from(if seconds < 0 { "in a moment" } else { "just now" });
        }
        let step = STEPS.into_iter().find(|(length, limit, _)| distance / length < *limit);
        let (length, _, unit) = step.unwrap_or((60, 60, "min"));
        let amount = distance / length;
        if seconds < 0 { format!("in {amount} {unit}") } else { format!("{amount} {unit} ago") }
    }
}

#[cfg(test)]
mod tests {
    use time::Duration;
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-05-05 14:02:10.987654 UTC);

    #[test]
    fn relative_words_carry_units_and_grow_with_distance() {
        let check = |before: Duration, words: &str| assert_eq!(Moment::new(NOW - before, NOW).relative(), words);
        check(Duration::ZERO, "just now");
        check(Duration::seconds(59), "just now");
        check(Duration::seconds(-1), "in a moment");
        check(Duration::seconds(60), "1 min ago");
        check(Duration::minutes(59), "59 min ago");
        check(Duration::minutes(60), "1 h ago");
        check(Duration::hours(47), "47 h ago");
        check(Duration::hours(48), "2 d ago");
        check(Duration::days(59), "59 d ago");
        check(Duration::days(61), "2 mo ago");
        check(-Duration::days(30), "in 30 d");
        check(Duration::days(800), "2 y ago");
    }

    #[test]
    fn exact_words_are_in_utc_whatever_the_offset() {
        let moment = Moment::new(datetime!(2026-05-05 16:02:10.5 +2), NOW);
        assert_eq!(moment.exact(), "2026-05-05 14:02:10 UTC");
        assert_eq!(moment.machine(), "2026-05-05T14:02:10Z");
    }
}
