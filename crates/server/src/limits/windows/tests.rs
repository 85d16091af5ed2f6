use time::Duration;

use super::*;

const START: OffsetDateTime = time::macros::datetime!(2026-01-01 00:00 UTC);

fn windows(limit: u32, bytes: usize) -> Windows {
    Windows::new(limit, 600, bytes, &Entropy::system(), START)
}

fn at(seconds: i64) -> OffsetDateTime {
    START + Duration::seconds(seconds)
}

#[test]
fn a_window_slides_and_waiting_as_told_is_enough() {
    let table = windows(3, 1 << 16);
    let taken = |seconds| table.hit(b"ada", at(seconds));
    assert_eq!(taken(0), Standing { taken: true, left: 2, more_in: 601 });
    assert_eq!(taken(100).left, 1);
    assert_eq!(taken(200), Standing { taken: true, left: 0, more_in: 401 });
    for again in [201, 300, 599] {
        let refused = taken(again);
        assert_eq!((refused.taken, refused.left), (false, 0), "{again}");
        assert_eq!(i64::from(refused.more_in), 601 - again, "what was refused was not counted");
    }
    assert!(!taken(600).taken, "the window has both its ends");
    assert!(taken(601).taken, "waiting as told is enough");
    let refused = taken(601);
    assert_eq!(
        (refused.taken, refused.more_in),
        (false, 100),
        "the next goes with the second hit, not with the window"
    );
    assert!(taken(701).taken && table.hit(b"eve", at(701)).taken);
}

#[test]
fn in_no_window_are_there_more_than_the_limit() {
    let table = windows(5, 1 << 16);
    let mut taken = Vec::new();
    // At random, but the same each time: every step is 1 to 97 seconds.
    let mut now = 0;
    for step in 0..3_000_i64 {
        now += 1 + (step * step * 31 + step * 7) % 97;
        if table.hit(b"ada", at(now)).taken {
            taken.push(now);
        }
    }
    assert!(taken.windows(6).all(|six| six[5] - six[0] > 600));
    assert!(taken.windows(6).any(|six| six[5] - six[0] < 700), "and hardly fewer");
}

#[test]
fn a_clock_that_is_put_back_locks_nobody_out() {
    let table = windows(2, 1 << 16);
    assert!(table.hit(b"ada", at(86_400)).taken && table.hit(b"ada", at(86_400)).taken);
    assert!(!table.hit(b"ada", at(86_370)).taken, "a few seconds are the order in which requests come");
    assert!(table.hit(b"ada", at(3_600)).taken, "what lies hours ahead is forgotten");
    assert!(table.hit(b"eve", at(-200_000)).taken);
}

#[test]
fn hundreds_of_thousands_of_keys_take_the_memory_of_the_table_and_free_nobody_of_their_hits() {
    let table = windows(5, 1 << 19);
    let bytes = table.bytes();
    assert!(bytes <= 1 << 19, "{bytes}");
    let key = |number: u32| number.to_be_bytes();
    // A few hundred use up what they have; a flood of 200,000 others follows, some of them twice, within the same window.
    let mut mine = 0..300_u32;
    for number in mine.clone() {
        for _ in 0..5 {
            table.hit(&key(number), at(1));
        }
    }
    let mut taken = 0_u32;
    for number in (1_000_000..1_200_000_u32).chain(1_000_000..1_020_000) {
        taken += u32::from(table.hit(&key(number), at(10)).taken);
    }
    assert!(mine.clone().all(|number| !table.hit(&key(number), at(20)).taken), "nobody got their tries back by it");
    // The remainder of a set makes room for one hit more at each step of its filling up.
    assert!(usize::try_from(taken).unwrap() <= table.hits() * (WAYS + 1) / WAYS, "{taken} of {}", table.hits());
    assert_eq!(table.bytes(), bytes);
    // A window later all of it is over.
    assert!(mine.all(|number| table.hit(&key(number), at(700)).left == 4));
}

#[test]
fn a_flood_that_the_table_holds_costs_newcomers_at_most_some_of_their_tries() {
    let table = windows(20, 1 << 19);
    let half = u32::try_from(table.hits() / 2).unwrap();
    for number in 0..half {
        table.hit(&number.to_be_bytes(), at(1));
    }
    let mut left: Vec<u32> =
        (0..1_000_u32).map(|number| table.hit(format!("new {number}").as_bytes(), at(2)).left).collect();
    left.sort_unstable();
    assert!(left[10] >= 3 && left[500] >= 6, "{left:?}");
}

#[test]
fn whoever_knows_no_secret_chooses_nobodys_place() {
    let (one, other) = (windows(1, 1 << 16), windows(1, 1 << 16));
    let refused = |table: &Windows| {
        let taken = (0..20_000_u32).filter(|number| table.hit(&number.to_be_bytes(), at(0)).taken);
        taken.collect::<Vec<_>>()
    };
    assert_ne!(refused(&one), refused(&other));
}
