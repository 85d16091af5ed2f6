//! How long a key lives: `30d`, or a moment as in RFC 3339. Pure; the clock is an argument.

use std::str::FromStr;

use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime, UtcOffset};

/// A whole, positive number of seconds, minutes, hours, days or weeks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lifetime(Duration);

impl Lifetime {
    /// The moment at which a thing that starts to live at `now` ends; `None` beyond the year 9999.
    pub(crate) fn after(self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        now.checked_add(self.0)
    }

    /// Whole seconds.
    pub(crate) const fn seconds(self) -> i64 {
        self.0.whole_seconds()
    }
}

impl FromStr for Lifetime {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let expected = || "expected a number and s, m, h, d or w, as in 30d".to_owned();
        let unit = text.chars().next_back().ok_or_else(expected)?;
        let seconds_in_unit = match unit {
            's' => 1,
            'm' => 60,
            'h' => 60 * 60,
            'd' => 24 * 60 * 60,
            'w' => 7 * 24 * 60 * 60,
            _ => return Err(expected()),
        };
        let number = text.strip_suffix(unit).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
        let count: i64 = number.and_then(|digits| digits.parse().ok()).ok_or_else(expected)?;
        let seconds = count.checked_mul(seconds_in_unit).ok_or("is longer than time itself")?;
        if seconds == 0 {
            return Err("has to be longer than nothing".to_owned());
        }
        Ok(Self(Duration::seconds(seconds)))
    }
}

/// Reads a moment such as `2027-01-31T00:00:00Z`.
pub(crate) fn parse_moment(text: &str) -> Result<OffsetDateTime, String> {
    OffsetDateTime::parse(text, &Rfc3339).map_err(|err| format!("expected a time as in 2027-01-31T00:00:00Z: {err}"))
}

/// Writes a moment for the API: UTC, whole seconds. `None` outside the years 0 to 9999.
pub(crate) fn format_moment(moment: OffsetDateTime) -> Option<String> {
    let seconds = moment.checked_to_offset(UtcOffset::UTC)?.replace_nanosecond(0).ok()?;
    seconds.format(&Rfc3339).ok()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn lifetimes_have_a_number_and_a_unit() {
        let check = |text: &str, seconds| assert_eq!(text.parse(), Ok(Lifetime(Duration::seconds(seconds))), "{text}");
        check("1s", 1);
        check("90m", 5_400);
        check("12h", 43_200);
        check("30d", 2_592_000);
        check("02w", 1_209_600);
    }

    #[test]
    fn anything_else_is_refused() {
        for text in
            ["", "d", "30", "30 d", "-1d", "+1d", "1.5h", "0d", "1y", "1d12h", "9223372036854775807w", "1д", "²d"]
        {
            assert!(text.parse::<Lifetime>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_lifetime_ends_at_a_moment() {
        let now = datetime!(2026-02-27 23:00:00.5 +01:00);
        let end = "2d".parse::<Lifetime>().unwrap().after(now).and_then(format_moment);
        assert_eq!(end.as_deref(), Some("2026-03-01T22:00:00Z"));
        assert_eq!("999999w".parse::<Lifetime>().unwrap().after(now), None);
    }

    #[test]
    fn moments_are_rfc_3339() {
        assert_eq!(parse_moment("2027-01-31T00:00:00+02:00"), Ok(datetime!(2027-01-31 00:00 +02:00)));
        assert!(parse_moment("2027-01-31").is_err());
        assert!(parse_moment("tomorrow").is_err());
    }
}
