//! Medians, because one slow round says nothing; and how far the rounds lay apart, because a median alone would hide
//! that the machine was busy.

/// The middle of some values, and their ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) lowest: f64,
    pub(super) median: f64,
    pub(super) highest: f64,
}

impl Spread {
    /// `None` of nothing. Of an even number of values the median is the mean of the middle two.
    pub(super) fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (lowest, highest) = (*values.first()?, *values.last()?);
        let upper = *values.get(values.len() / 2)?;
        let lower = *values.get((values.len() - 1) / 2)?;
        Some(Self { lowest, median: f64::midpoint(lower, upper), highest })
    }
}

#[cfg(test)]
mod tests {
    use super::Spread;

    #[test]
    fn the_middle_and_the_ends() {
        for (values, expected) in [
            (&[3.0][..], (3.0, 3.0, 3.0)),
            (&[4.0, 1.0], (1.0, 2.5, 4.0)),
            (&[9.0, 1.0, 2.0], (1.0, 2.0, 9.0)),
            (&[0.5, 100.0, 0.75, 0.25], (0.25, 0.625, 100.0)),
        ] {
            let spread = Spread::of(values.to_vec()).unwrap();
            assert_eq!((spread.lowest, spread.median, spread.highest), expected, "{values:?}");
        }
        assert_eq!(Spread::of(Vec::new()), None);
    }
}
