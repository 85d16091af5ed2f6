//! A log's checkpoints over time, as a line of steps: when was how much signed.

use time::OffsetDateTime;

use crate::console::Moment;

/// The picture's size, in its own units.
const WIDTH: u32 = 640;
const HEIGHT: u32 = 96;
/// Room for a stroke at the edges.
const MARGIN: f64 = 3.0;
/// So many checkpoints are listed below it.
const LISTED: usize = 8;

/// A published checkpoint, without its note.
pub(in crate::audit) struct Published {
    pub(in crate::audit) generation: u32,
    pub(in crate::audit) size: u64,
    pub(in crate::audit) signed_at: OffsetDateTime,
}

/// A line below the picture.
pub(super) struct Mark {
    pub(super) generation: u32,
    pub(super) size: u64,
    pub(super) at: Moment,
}

/// The picture and what it shows.
pub(super) struct Timeline {
    /// `x,y x,y …` of a polyline.
    pub(super) points: String,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) count: usize,
    pub(super) first: Mark,
    pub(super) last: Mark,
    /// The newest first.
    pub(super) newest: Vec<Mark>,
}

impl Timeline {
    /// Of checkpoints of one generation, the newest first; `None` of fewer than two, which make no line.
    pub(super) fn of(published: &[Published], now: OffsetDateTime) -> Option<Self> {
        let generation = published.first()?.generation;
        let own: Vec<&Published> = published.iter().take_while(|one| one.generation == generation).collect();
        let (last, first) = (own.first()?, own.last()?);
        if own.len() < 2 {
            return None;
        }
        let mark = |one: &Published| Mark { generation, size: one.size, at: Moment::new(one.signed_at, now) };
        Some(Self {
            points: steps(&own, first, last),
            width: WIDTH,
            height: HEIGHT,
            count: own.len(),
            first: mark(first),
            last: mark(last),
            newest: own.iter().take(LISTED).map(|one| mark(one)).collect(),
        })
    }
}

/// Steps from the left below to the right above. A clock that went back draws no step to the left.
fn steps(newest_first: &[&Published], first: &Published, last: &Published) -> String {
    let (width, height) = (f64::from(WIDTH), f64::from(HEIGHT));
    let span = (last.signed_at - first.signed_at).as_seconds_f64().max(1.0);
    let grown = float(last.size.saturating_sub(first.size)).max(1.0);
    let (mut points, mut before) = (Vec::new(), None::<(f64, f64)>);
    for one in newest_first.iter().rev() {
        let along = ((one.signed_at - first.signed_at).as_seconds_f64() / span).clamp(0.0, 1.0);
        let up = float(one.size.saturating_sub(first.size)) / grown;
        let mut x = MARGIN + along * (width - 2.0 * MARGIN);
        let y = height - MARGIN - up * (height - 2.0 * MARGIN);
        if let Some((left, level)) = before {
            x = x.max(left);
            points.push((x, level));
        }
        points.push((x, y));
        before = Some((x, y));
    }
    points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect::<Vec<_>>().join(" ")
}

fn float(number: u64) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use super::*;

    fn at(generation: u32, size: u64, seconds: i64) -> Published {
        Published { generation, size, signed_at: OffsetDateTime::UNIX_EPOCH + Duration::seconds(seconds) }
    }

    #[test]
    fn a_line_of_steps_goes_up_and_to_the_right() {
        let published = [at(1, 30, 90), at(1, 20, 60), at(1, 10, 0)];
        let timeline = Timeline::of(&published, OffsetDateTime::UNIX_EPOCH).unwrap();
        assert_eq!(timeline.points, "3.0,93.0 425.7,93.0 425.7,48.0 637.0,48.0 637.0,3.0");
        assert_eq!((timeline.count, timeline.first.size, timeline.last.size), (3, 10, 30));
    }

    #[test]
    fn a_clock_that_went_back_and_a_former_generation_draw_nothing_odd() {
        let published = [at(2, 3, 10), at(2, 2, 50), at(2, 1, 0), at(1, 900, 5)];
        let timeline = Timeline::of(&published, OffsetDateTime::UNIX_EPOCH).unwrap();
        let xs: Vec<f64> =
            timeline.points.split(' ').map(|point| point.split(',').next().unwrap().parse().unwrap()).collect();
        assert!(xs.is_sorted() && xs.iter().all(|x| (0.0..=f64::from(WIDTH)).contains(x)), "{xs:?}");
        assert!(Timeline::of(&published[2..], OffsetDateTime::UNIX_EPOCH).is_none());
    }
}
